//! Algorithms that anybody can forge signatures with: not unknown, but refused.

use const_oid::ObjectIdentifier;

/// MD2, MD4 and MD5, and the signature algorithms with them (RFC 3279 §2.2.1, RFC 6149 to 6151).
const BROKEN: [ObjectIdentifier; 6] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.2.2"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.2.4"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.2.5"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.3"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"),
];

pub(super) fn is_broken(algorithm: &ObjectIdentifier) -> bool {
    BROKEN.contains(algorithm)
}
