//! The OAUTHBEARER token: a JWT in a file that somebody else keeps fresh.
//!
//! The file is read again at each refresh, which librdkafka asks for at 80 % of the token's life.
//! The token is never verified (that is the broker's part) and never printed.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;

/// Largest token file, in bytes: brokers refuse requests far smaller than this.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Where the token stands.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

/// What is wrong with a token file. The text never holds the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The file cannot be read.
    #[error("read the token file {path}: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The file does not hold a JWT with an expiry.
    #[error("the token file {path} {what}; it must hold one JWT with the claim `exp`")]
    Token {
        /// The file.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
}

impl TokenFile {
    /// The token file at `path`; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the token, its owner and the end of its life.
    ///
    /// # Errors
    /// When the file cannot be read or holds no JWT with an expiry.
    pub fn read(&self) -> Result<OAuthToken, TokenFault> {
        let path = self.path.display().to_string();
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(cause) => return Err(TokenFault::Read { path, cause }),
        };
        parse(text.trim()).map_err(|what| TokenFault::Token { path, what })
    }
}

/// A JWT is three base64url parts with dots between; the second one holds the claims (RFC 7519).
fn parse(token: &str) -> Result<OAuthToken, &'static str> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err("is larger than 64 KiB");
    }
    if token.contains(char::is_whitespace) {
        return Err("holds more than one word");
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("holds no JWT");
    };
    let claims = URL_SAFE_NO_PAD
        .decode(claims.trim_end_matches('='))
        .map_err(|_| "holds a JWT whose claims are not base64url")?;
    let claims: Claims = serde_json::from_slice(&claims)
        .map_err(|_| "holds a JWT whose claims are not a JSON object with `exp`")?;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: claims.sub.unwrap_or_default(),
        // `exp` is in seconds and may have a fraction.
        lifetime_ms: (claims.exp * 1000.0) as i64,
    })
}

#[derive(serde::Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    sub: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn check(token: &str, expected: Result<(&str, i64), &str>) {
        let found = parse(token);
        let found = found.as_ref().map(|token| (&*token.principal_name, token.lifetime_ms));
        assert_eq!(found.map_err(|what| &**what), expected, "{token}");
    }

    #[test]
    fn owner_and_expiry_come_from_the_claims() {
        check(&jwt(r#"{"exp":1767225600,"sub":"ouzel"}"#), Ok(("ouzel", 1_767_225_600_000)));
        check(&jwt(r#"{"exp":1767225600.5,"aud":["a"]}"#), Ok(("", 1_767_225_600_500)));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        check("", Err("holds no JWT"));
        check("opaque", Err("holds no JWT"));
        check("a.b c.d", Err("holds more than one word"));
        check("a.!.c", Err("holds a JWT whose claims are not base64url"));
        let no_claims = "holds a JWT whose claims are not a JSON object with `exp`";
        check(&jwt("{}"), Err(no_claims));
        check(&jwt("[]"), Err(no_claims));
    }

    #[test]
    fn a_missing_file_is_named() {
        let fault = TokenFile::new("/nowhere/token".into()).read().map(|_| ()).unwrap_err();
        assert!(fault.to_string().starts_with("read the token file /nowhere/token: "), "{fault}");
    }
}
