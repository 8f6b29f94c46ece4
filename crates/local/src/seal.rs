//! Encrypts secrets at rest: XChaCha20-Poly1305 over `version‖key_id‖nonce‖ciphertext`.
//!
//! The associated data is the row's identity, so a sealed value that was moved to another row
//! cannot be opened.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Why a sealed value cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not a sealed value of a known version.
    #[error("not a sealed value of a known version")]
    Format,
    /// It was sealed with another key.
    #[error("sealed with another key (key id {found}, this key is {expected})")]
    OtherKey {
        /// The key id in the value.
        found: String,
        /// The current key's id.
        expected: String,
    },
    /// It was changed, or belongs to another row.
    #[error("the sealed value was changed or belongs to another row")]
    Tampered,
}

/// A key for one purpose, derived from a root secret.
#[derive(Clone)]
pub struct SealingKey {
    key: SecretSlice<u8>,
    id: [u8; KEY_ID_LEN],
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", hex::encode(self.id))
    }
}

impl SealingKey {
    /// Derives the key for `purpose` from a root secret (HKDF-SHA256).
    pub fn derive(root: &[u8], purpose: &str) -> Self {
        let mut key = vec![0_u8; 32];
        Hkdf::<Sha256>::new(None, root)
            .expand(purpose.as_bytes(), &mut key)
            .expect("32 bytes is within HKDF-SHA256's output limit");
        let digest = Sha256::digest(&key);
        let mut id = [0_u8; KEY_ID_LEN];
        id.copy_from_slice(&digest[..KEY_ID_LEN]);
        Self {
            key: key.into(),
            id,
        }
    }

    /// The key id in sealed values: the start of the key's hash.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Key::try_from(self.key.expose_secret()).expect("the key was made 32 bytes long");
        XChaCha20Poly1305::new(&key)
    }

    /// Seals `plaintext` for the row identified by `associated`.
    pub fn seal(&self, plaintext: &[u8], associated: &[u8]) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_LEN];
        crate::random::fill(&mut nonce);
        let ciphertext = self
            .cipher()
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plaintext,
                    aad: associated,
                },
            )
            .expect("the cipher accepts any message below 256 GiB");
        let mut sealed = Vec::with_capacity(HEADER_LEN + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens a value that `seal` produced for the same row.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a sealed value, name another key, or fail
    /// authentication.
    pub fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<SecretSlice<u8>, Error> {
        if sealed.len() < HEADER_LEN || sealed[0] != VERSION {
            return Err(Error::Format);
        }
        let (header, ciphertext) = sealed.split_at(HEADER_LEN);
        let key_id = &header[1..=KEY_ID_LEN];
        if key_id != self.id {
            return Err(Error::OtherKey {
                found: hex::encode(key_id),
                expected: hex::encode(self.id),
            });
        }
        let nonce =
            XNonce::try_from(&header[1 + KEY_ID_LEN..]).expect("the header holds 24 nonce bytes");
        let plaintext = self
            .cipher()
            .decrypt(
                &nonce,
                Payload {
                    msg: ciphertext,
                    aad: associated,
                },
            )
            .map_err(|_| Error::Tampered)?;
        Ok(plaintext.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_for_its_row() {
        let key = SealingKey::derive(&[7; 32], "vault");
        let sealed = key.seal(b"refresh-token", b"credentials/a");
        assert_eq!(
            key.open(&sealed, b"credentials/a").unwrap().expose_secret(),
            b"refresh-token"
        );
        assert!(matches!(
            key.open(&sealed, b"credentials/b"),
            Err(Error::Tampered)
        ));
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(
            key.open(&changed, b"credentials/a"),
            Err(Error::Tampered)
        ));
        let other = SealingKey::derive(&[7; 32], "other purpose");
        assert!(matches!(
            other.open(&sealed, b"credentials/a"),
            Err(Error::OtherKey { .. })
        ));
        assert!(matches!(key.open(b"short", b""), Err(Error::Format)));
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let key = SealingKey::derive(&[7; 32], "vault");
        assert_ne!(key.seal(b"x", b"r"), key.seal(b"x", b"r"));
    }
}
