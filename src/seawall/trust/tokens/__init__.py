"""Keys on PKCS#11 tokens: they sign and are never given out.

The way of a signature: `uri` (which token, which key), `modules` (which shared library speaks to
it), `cryptoki` (the little of PKCS#11 that is used, as a Protocol), `key` (one login, several
signatures). `provisioning` makes keys on a token or brings them there; `attestation` reads what a
YubiKey says of its own keys.

Refused: other curves than P-256, a PIN in a URI, a native library named by anything but a person or
the settings, a signature that does not verify under the key that was asked for.
"""
