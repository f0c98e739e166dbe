"""A foreign GlobalPlatform host: PyGP opens a secure channel and asks for the registry.

    channel.py READER KEY LEVEL VERSION

KEY is all three keys of the set in hexadecimal, LEVEL the security level and VERSION the key version. Prints identifier and
life cycle of the issuer domain, as read in the session.
"""

import sys

import cryptography.utils
import smartcard.scard

# PyGP is of 2018. The decorator that it asks this library for only checked classes.
cryptography.utils.register_interface = lambda _: lambda found: found
# It brings a copy of pyscard's module without the compiled half: the real one takes its place.
sys.modules["pygp.connection.pcsc"] = smartcard.scard

import pygp.pygp as host  # noqa: E402

reader, key, level, version = sys.argv[1:5]
host.set_log_mode(0)
host.terminal(reader)
host.card()
host.auth(enc_key=key, mac_key=key, dek_key=key, keysetversion=version, securitylevel=int(level, 16))
status, entries = host.gp.get_status("80")
if status["errorStatus"] != 0:
    sys.exit("GET STATUS: " + status["errorMessage"])
for entry in entries:
    print(entry["aid"].upper(), entry["lifecycle"])
