//! The brainpool curves of RFC 5639 that are no crates of their own, defined by their parameters
//! in the framework that the crates for the other curves are made of.
#![allow(deprecated, missing_docs)] // in what the macros of the framework make

use elliptic_curve::bigint::Odd;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::{CurveArithmetic, PrimeCurveArithmetic};
use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic};

/// Defines a curve in a module of its own. The hexadecimal numbers of p and n have as many
/// digits as `uint` holds, the others as many as the field.
macro_rules! brainpool_curve {
    (
        $module:ident, $curve:ident, uint: $uint:ty, bytes: $bytes:ty,
        p: $p:expr, a: $a:expr, b: $b:expr, g: ($gx:expr, $gy:expr), n: $n:expr,
        generators: ($field_generator:expr, $scalar_generator:expr), doc: $doc:expr
    ) => {
        pub(crate) mod $module {
            use super::*;
            use elliptic_curve::ff::PrimeField;
            use elliptic_curve::ops::{BatchInvert, Reduce};
            use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
            use elliptic_curve::subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, CtOption};

            type Uint = $uint;
            type FieldBytes = elliptic_curve::array::Array<u8, $bytes>;
            const MODULUS_HEX: &str = $p;
            const ORDER_HEX: &str = $n;
            const ORDER: Odd<Uint> = Odd::<Uint>::from_be_hex(ORDER_HEX);

            mod field {
                use super::*;

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: MODULUS_HEX,
                    uint: Uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $field_generator,
                    doc: "The field modulus."
                }
                primefield::monty_field_element! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint,
                    doc: "An element of the field."
                }
                primefield::monty_field_arithmetic! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint
                }
                impl BatchInvert for FieldElement {}
            }

            primefield::monty_field_params! {
                name: ScalarParams,
                modulus: ORDER_HEX,
                uint: Uint,
                byte_order: primefield::ByteOrder::BigEndian,
                multiplicative_generator: $scalar_generator,
                doc: "The order of the group."
            }
            primefield::monty_field_element! {
                name: Scalar,
                params: ScalarParams,
                uint: Uint,
                doc: "A scalar."
            }
            primefield::monty_field_arithmetic! {
                name: Scalar,
                params: ScalarParams,
                uint: Uint
            }
            impl Reduce<Uint> for Scalar {
                fn reduce(number: &Uint) -> Self {
                    type Element = primefield::MontyFieldElement<ScalarParams, { Uint::LIMBS }>;
                    Self(<Element as Reduce<Uint>>::reduce(number))
                }
            }
            // The framework's own macro expects numbers of whole words.
            impl Reduce<FieldBytes> for Scalar {
                fn reduce(bytes: &FieldBytes) -> Self {
                    Self::reduce(&elliptic_curve::field::bytes_to_uint::<$curve>(bytes))
                }
            }
            elliptic_curve::scalar_impls!($curve, Scalar);
            primeorder::wnaf::impl_wnaf_size_for_scalar!(Scalar);

            impl AsRef<Scalar> for Scalar {
                fn as_ref(&self) -> &Scalar {
                    self
                }
            }

            impl FromUintUnchecked for Scalar {
                type Uint = Uint;

                fn from_uint_unchecked(uint: Self::Uint) -> Self {
                    Self::from_uint_unchecked(uint)
                }
            }

            impl IsHigh for Scalar {
                fn is_high(&self) -> Choice {
                    const HALF: Uint = ORDER.as_ref().shr_vartime(1);
                    self.to_canonical().ct_gt(&HALF)
                }
            }

            #[doc = $doc]
            #[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
            pub struct $curve;

            impl elliptic_curve::Curve for $curve {
                type FieldBytesSize = $bytes;
                type Uint = Uint;
                const ORDER: Odd<Uint> = ORDER;
            }
            impl elliptic_curve::PrimeCurve for $curve {}
            impl elliptic_curve::point::PointCompression for $curve {
                const COMPRESS_POINTS: bool = false;
            }
            impl CurveArithmetic for $curve {
                type AffinePoint = primeorder::AffinePoint<Self>;
                type ProjectivePoint = primeorder::ProjectivePoint<Self>;
                type Scalar = Scalar;
            }
            impl FieldArithmetic for $curve {
                type FieldElement = field::FieldElement;
            }
            impl PrimeCurveArithmetic for $curve {
                type CurveGroup = primeorder::ProjectivePoint<Self>;
            }
            impl PrimeCurveParams for $curve {
                type PointArithmetic = point_arithmetic::EquationAIsGeneric;
                type Backend = mul_backend::VariableOnly;
                const EQUATION_A: field::FieldElement = field::FieldElement::from_hex_vartime($a);
                const EQUATION_B: field::FieldElement = field::FieldElement::from_hex_vartime($b);
                const GENERATOR: (field::FieldElement, field::FieldElement) = (
                    field::FieldElement::from_hex_vartime($gx),
                    field::FieldElement::from_hex_vartime($gy),
                );
            }
            impl ::ecdsa::EcdsaCurve for $curve {
                const NORMALIZE_S: bool = false;
            }
        }
    };
}

brainpool_curve! {
    p192r1, BrainpoolP192r1, uint: elliptic_curve::bigint::U192, bytes: elliptic_curve::consts::U24,
    p: "c302f41d932a36cda7a3463093d18db78fce476de1a86297",
    a: "6a91174076b1e0e19c39c031fe8685c1cae040e5c69a28ef",
    b: "469a28ef7c28cca3dc721d044f4496bcca7ef4146fbf25c9",
    g: (
        "c0a0647eaab6a48753b033c56cb0f0900a2f5c4853375fd6",
        "14b690866abd5bb88b5f4828c1490002e6773fa2fa299b8f"
    ),
    n: "c302f41d932a36cda7a3462f9e9e916b5be8f1029ac4acc1",
    generators: (3, 7), doc: "brainpoolP192r1 (RFC 5639 §3)."
}

brainpool_curve! {
    p224r1, BrainpoolP224r1, uint: elliptic_curve::bigint::U256, bytes: elliptic_curve::consts::U28,
    p: "00000000d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff",
    a: "68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43",
    b: "2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b",
    g: (
        "0d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d",
        "58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd"
    ),
    n: "00000000d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f",
    generators: (3, 3), doc: "brainpoolP224r1 (RFC 5639 §3)."
}

brainpool_curve! {
    p320r1, BrainpoolP320r1, uint: elliptic_curve::bigint::U384, bytes: elliptic_curve::consts::U40,
    p: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27",
    a: "3ee30b568fbab0f883ccebd46d3f3bb8a2a73513f5eb79da66190eb085ffa9f492f375a97d860eb4",
    b: "520883949dfdbc42d3ad198640688a6fe13f41349554b49acc31dccd884539816f5eb4ac8fb1f1a6",
    g: (
        "43bd7e9afb53d8b85289bcc48ee5bfe6f20137d10a087eb6e7871e2a10a599c710af8d0d39e20611",
        "14fdd05545ec1cc8ab4093247f77275e0743ffed117182eaa9c77877aaac6ac7d35245d1692e8ee1"
    ),
    n: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311",
    generators: (5, 3), doc: "brainpoolP320r1 (RFC 5639 §3)."
}

brainpool_curve! {
    p512r1, BrainpoolP512r1, uint: elliptic_curve::bigint::U512, bytes: elliptic_curve::consts::U64,
    p: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
    a: "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
    b: "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
    g: (
        "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
        "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892"
    ),
    n: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069",
    generators: (2, 7), doc: "brainpoolP512r1 (RFC 5639 §3)."
}
