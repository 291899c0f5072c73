"""The table behind the default profile: every system call of x86-64, allowed or refused.

A test holds the union against the kernel's own header, so a new call is decided and not forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EPERM: Final = 1
ENOSYS: Final = 38


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that are allowed for one purpose."""

    purpose: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a call is refused, and with which error."""

    reason: str
    errno: int = EPERM


def _group(purpose: str, names: str) -> Group:
    return Group(purpose, frozenset(names.split()))


GROUPS: Final = (
    _group(
        "read and write open files",
        "read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek sendfile "
        "splice tee vmsplice copy_file_range fallocate truncate ftruncate fsync fdatasync sync "
        "syncfs sync_file_range fadvise64 readahead",
    ),
    _group(
        "open, duplicate and lock descriptors, pipes, device control",
        "open openat openat2 creat close close_range dup dup2 dup3 fcntl flock ioctl pipe pipe2",
    ),
    _group(
        "look at files and directories",
        "stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 getdents "
        "getdents64 getcwd readlink readlinkat getxattr lgetxattr fgetxattr getxattrat listxattr "
        "llistxattr flistxattr listxattrat file_getattr name_to_handle_at",
    ),
    _group(
        "change files and directories (the container's own, under its own capabilities)",
        "chdir fchdir chroot rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink "
        "unlinkat symlink symlinkat mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown "
        "lchown fchownat umask utime utimes futimesat utimensat setxattr lsetxattr fsetxattr "
        "setxattrat removexattr lremovexattr fremovexattr removexattrat file_setattr",
    ),
    _group(
        "watch files, wait for events",
        "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch poll ppoll select pselect6 "
        "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 "
        "signalfd signalfd4",
    ),
    _group(
        "asynchronous reads and writes of databases and web servers",
        "io_setup io_destroy io_submit io_getevents io_pgetevents io_cancel",
    ),
    _group(
        "memory of one's own",
        "mmap munmap mprotect mremap brk msync mincore madvise mlock mlock2 munlock mlockall "
        "munlockall remap_file_pages membarrier memfd_create memfd_secret pkey_alloc pkey_free "
        "pkey_mprotect mseal map_shadow_stack get_mempolicy",
    ),
    _group(
        "System V and POSIX queues, semaphores, shared memory (in the container's IPC namespace)",
        "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl "
        "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
    ),
    _group(
        "start, wait for and end processes (clone only without new namespaces)",
        "fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open "
        "pidfd_send_signal getpid getppid gettid getpgid setpgid getpgrp getsid setsid prctl "
        "arch_prctl restart_syscall",
    ),
    _group(
        "threads and locks",
        "futex futex_waitv futex_wait futex_wake futex_requeue set_tid_address set_robust_list "
        "get_robust_list rseq set_thread_area get_thread_area",
    ),
    _group(
        "signals",
        "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend "
        "rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack pause",
    ),
    _group(
        "who one is; stepping down from root",
        "getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setgroups "
        "setreuid setregid setresuid setresgid setfsuid setfsgid capget capset",
    ),
    _group(
        "scheduling and limits of one's own processes",
        "sched_yield sched_getparam sched_setparam sched_getscheduler sched_setscheduler "
        "sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_getaffinity "
        "sched_setaffinity sched_getattr sched_setattr getpriority setpriority ioprio_get "
        "ioprio_set getrlimit setrlimit prlimit64 getrusage times getcpu",
    ),
    _group(
        "read the clock, set timers",
        "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer "
        "setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete "
        "timerfd_create timerfd_settime timerfd_gettime",
    ),
    _group(
        "network (sockets of four families only)",
        "connect accept accept4 bind listen shutdown getsockname getpeername getsockopt setsockopt "
        "sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg",
    ),
    _group("facts about the machine, random numbers", "uname sysinfo getrandom"),
    _group(
        "confine oneself further",
        "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    ),
    _group(
        "placed by the kernel itself where an administrator of the host traces the program",
        "uretprobe uprobe",
    ),
)


def _refuse(reason: str, names: str, errno: int = EPERM) -> dict[str, Refused]:
    return dict.fromkeys(names.split(), Refused(reason, errno))


REFUSED: Final[dict[str, Refused]] = {
    **_refuse("makes or joins namespaces, a wide door into the kernel", "unshare setns"),
    **_refuse(
        "its flags lie in memory, where no filter sees them; clone is used", "clone3", ENOSYS
    ),
    **_refuse(
        "changes mounts",
        "mount umount2 pivot_root open_tree open_tree_attr move_mount fsopen fsconfig fsmount "
        "fspick mount_setattr",
    ),
    **_refuse(
        "tells about mounts; programs read /proc/self/mountinfo", "statmount listmount", ENOSYS
    ),
    **_refuse("lists namespaces of others", "listns", ENOSYS),
    **_refuse('opens files past all directories (the "shocker" escape)', "open_by_handle_at"),
    **_refuse("watches whole file systems", "fanotify_init fanotify_mark"),
    **_refuse("loads code into the kernel", "init_module finit_module delete_module bpf"),
    **_refuse("replaces the kernel", "kexec_load kexec_file_load reboot"),
    **_refuse("counts and samples beyond the container; many kernel holes", "perf_event_open"),
    **_refuse("holds a fault of the kernel as long as an attacker needs", "userfaultfd"),
    **_refuse(
        "runs calls where no filter sees them; many kernel holes",
        "io_uring_setup io_uring_enter io_uring_register",
        ENOSYS,
    ),
    **_refuse("keys are not kept apart by namespaces", "add_key request_key keyctl"),
    **_refuse(
        "reaches into another process",
        "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise "
        "process_mrelease",
    ),
    **_refuse("sets the machine's clock", "settimeofday clock_settime adjtimex clock_adjtime"),
    **_refuse(
        "swap, quotas and accounting are the machine's", "swapon swapoff quotactl quotactl_fd acct"
    ),
    **_refuse("names the machine", "sethostname setdomainname"),
    **_refuse("touches hardware ports", "iopl ioperm"),
    **_refuse("reads or clears the kernel's log", "syslog"),
    **_refuse("hangs up terminals", "vhangup"),
    **_refuse("16-bit segments; old kernel holes", "modify_ldt"),
    **_refuse(
        "moves memory between the machine's nodes",
        "mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages",
    ),
    **_refuse("shows what others read from disk", "cachestat", ENOSYS),
    **_refuse("profiles the kernel", "lookup_dcookie", ENOSYS),
    **_refuse(
        "changes security modules",
        "lsm_get_self_attr lsm_set_self_attr lsm_list_modules",
        ENOSYS,
    ),
    **_refuse("yields a time slice asked for through rseq; too young", "rseq_slice_yield", ENOSYS),
    **_refuse(
        "removed from kernels, or never there",
        "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg "
        "nfsservctl putpmsg query_module security sysfs tuxcall uselib ustat vserver",
        ENOSYS,
    ),
}
