//! Signatures of grid events: JWS in compact form (RFC 7515), with ES256 or RS256 (RFC 7518).

use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Public keys of those whose events are believed.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
enum Key {
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// `RSAPublicKey`, DER.
    Rsa(Vec<u8>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// `SubjectPublicKeyInfo` of a P-256 key up to its 65 bytes (RFC 5480).
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Algorithm of an RSA key (RFC 3279): object identifier and NULL.
const RSA_ALGORITHM: &[u8] = &[
    0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
];

impl Keys {
    /// The keys of a PEM file, each `PUBLIC KEY`.
    pub(super) fn read(file: &str) -> Result<Self, String> {
        let text = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let keys = SubjectPublicKeyInfoDer::pem_slice_iter(&text).map(|der| {
            let der = der.map_err(|error| format!("{file}: {error}"))?;
            key(&der).ok_or_else(|| format!("{file}: a key is neither P-256 nor RSA"))
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(format!("{file}: no PUBLIC KEY in it"));
        }
        Ok(Self(keys))
    }

    /// The payload of a token that one of the keys has signed.
    pub(super) fn verify(&self, token: &str) -> Result<Vec<u8>, String> {
        let (signed, signature) = token.rsplit_once('.').ok_or("the data is not a JWS")?;
        let (header, payload) = signed.split_once('.').ok_or("the data is not a JWS")?;
        let header = base64url(header).ok_or("the JWS header is not base64url")?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| "the JWS header names no algorithm")?;
        let signature = base64url(signature).ok_or("the JWS signature is not base64url")?;
        let good = self.0.iter().any(|key| {
            let (algorithm, bytes): (&'static dyn VerificationAlgorithm, _) = match (key, header.alg.as_str()) {
                (Key::P256(bytes), "ES256") => (&ECDSA_P256_SHA256_FIXED, bytes),
                (Key::Rsa(bytes), "RS256") => (&RSA_PKCS1_2048_8192_SHA256, bytes),
                _ => return false,
            };
            UnparsedPublicKey::new(algorithm, bytes)
                .verify(signed.as_bytes(), &signature)
                .is_ok()
        });
        if !good {
            return Err(format!("no key of dsx.flex_keys has signed it ({})", header.alg));
        }
        base64url(payload).ok_or_else(|| "the JWS payload is not base64url".into())
    }
}

fn key(der: &[u8]) -> Option<Key> {
    if let Some(point) = der.strip_prefix(P256_PREFIX) {
        return (point.len() == 65).then(|| Key::P256(point.to_vec()));
    }
    let (outer, _) = element(der, 0x30)?;
    let bits = outer.strip_prefix(RSA_ALGORITHM)?;
    let (bits, _) = element(bits, 0x03)?;
    // The first byte says how many bits of the last are unused: none.
    Some(Key::Rsa(bits.strip_prefix(&[0])?.to_vec()))
}

/// The contents of a DER element of a tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7F => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Base64 in the alphabet for URLs, without padding (RFC 4648, section 5).
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
        }
    }
    // A single letter left over is no byte, and unused bits are zero.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    /// The alphabet the other way.
    pub(in crate::field) fn to_base64url(bytes: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..=group.len() {
                text.push(char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]));
            }
        }
        text
    }

    /// Somebody who signs with ES256.
    pub(in crate::field) struct Signer(EcdsaKeyPair);

    impl Signer {
        pub(in crate::field) fn new() -> Self {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
        }

        /// The public key as a PEM file's text.
        pub(in crate::field) fn pem(&self) -> String {
            let der = [P256_PREFIX, self.0.public_key().as_ref()].concat();
            let text = to_base64url(&der).replace('-', "+").replace('_', "/");
            let padding = "=".repeat((4 - text.len() % 4) % 4);
            format!("-----BEGIN PUBLIC KEY-----\n{text}{padding}\n-----END PUBLIC KEY-----\n")
        }

        pub(in crate::field) fn sign(&self, payload: &str) -> String {
            let header = to_base64url(br#"{"alg":"ES256","kid":"1"}"#);
            let signed = format!("{header}.{}", to_base64url(payload.as_bytes()));
            let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", to_base64url(signature.as_ref()))
        }
    }

    fn keys(text: &str) -> Keys {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.pem");
        std::fs::write(&file, text).unwrap();
        Keys::read(file.to_str().unwrap()).unwrap()
    }

    #[test]
    fn only_what_a_known_key_has_signed_is_believed() {
        let (one, other) = (Signer::new(), Signer::new());
        let keys = keys(&format!("{}{RSA_KEY}", one.pem()));
        let token = one.sign(r#"{"targets":[]}"#);
        assert_eq!(keys.verify(&token).unwrap(), br#"{"targets":[]}"#);
        assert!(keys.verify(&other.sign("{}")).unwrap_err().contains("no key"));
        let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!()
        };
        let forged = format!("{header}.{}.{signature}", to_base64url(b"{}"));
        assert!(keys.verify(&forged).is_err());
        let unsigned = format!("{}.{}.", to_base64url(br#"{"alg":"none"}"#), to_base64url(b"{}"));
        assert!(keys.verify(&unsigned).is_err());
        for token in ["", "a", "a.b", "a.b.c", "..", "!.!.!"] {
            assert!(keys.verify(token).is_err(), "{token}");
        }
        assert!(
            keys.verify(RSA_TOKEN)
                .is_ok_and(|payload| payload == br#"{"targets":[]}"#)
        );
    }

    #[test]
    fn base64url_both_ways() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"\xFB\xFF\xBF"] {
            assert_eq!(base64url(&to_base64url(bytes)).as_deref(), Some(bytes));
        }
        for wrong in ["A", "AB=", "A+/B", "AB"] {
            assert_eq!(base64url(wrong), None, "{wrong}");
        }
    }

    // Made with OpenSSL for this test.
    const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwOgOKx0K7fTyMJXT8yVz\n\
        3ViR2i2w1Ra4R76IjzBmD0HkHpEbPz06/DaEAaMKDdK1erv3yqxRqdI0HZBMf+cS\n\
        JZdpU9i2ou4yqpPG/oPa33YtiFEorp55WdcuScFO332oYVCdkhG4crt2JkgtDIjN\n\
        w7Sy7bUoAnmZ4rXfN8yNO6bWInsVAPKYT+yf1++eilDnaHViWTUFA2Er96YB1pEC\n\
        H3sSY6hVngNg0tzwPaR9km+s4J0OyMEOFegYcCY2XVfJoXYtqchhrfKdI1sBok2W\n\
        2P68ZRMLk1miqIWALHJ9AQ5rjv6pRaUXii8ASSP5zJexgVw53+7NrFX1xgYlJgZ8\n\
        IQIDAQAB\n\
        -----END PUBLIC KEY-----\n";
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJ0YXJnZXRzIjpbXX0.Y0qQfEhTa07V48LTAwjr6VMPMkSCjLGaEz2iEeEMlhiBRvua5KXrmJhXZVU\
        yTVd55jOL9tnD74DNKst03_wCoqSSAq4XzypavGsSlIShRkS9HvAMTb_X7Fzz121p_TgpKMbBACwoGTO_E9chJ-uwuNEZyn_33lZ\
        2JJ1SMiN_Bhc33_WvENqg1fasboXIogiIxWDGhSKr2ZK5XJoEEAqCz2MrY9UwNHzVRDoz8gHVZsJGCSU3iLFv7m-WHwbPxVXdtuq\
        AuygX--GYc61f3emjTaIo84XHEL59U290vT3U4M9exDddvDTP8FtlTOHjTbpSnek8ZCzmUbYUGIFr_E5GTA";
}
