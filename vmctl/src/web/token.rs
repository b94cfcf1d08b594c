//! The key of a lab's page.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// Octets of randomness: nobody guesses 256 bits.
const OCTETS: usize = 32;

/// What a request must carry to change a lab through its page. Another one for each daemon.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one, from the kernel's randomness.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut octets = [0; OCTETS];
        getrandom::fill(&mut octets)?;
        Ok(Self(octets.iter().map(|octet| format!("{octet:02x}")).collect()))
    }

    /// Its text: hexadecimal digits. For who may open the control socket.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is it. Takes as long whatever is right in it.
    pub(super) fn is(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(offered).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_none_is_shown_by_accident() {
        let (one, other) = (Token::new().expect("randomness"), Token::new().expect("randomness"));
        assert!(one.is(one.reveal().as_bytes()));
        assert!(!one.is(other.reveal().as_bytes()) && !one.is(b"") && !one.is(&[b'0'; 65]));
        assert_eq!(one.reveal().len(), 2 * OCTETS);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
