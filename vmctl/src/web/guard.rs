//! Who may ask the page's listener for what.
//!
//! A browser sends a request wherever any page tells it to, and says for whom: `Host` is the name
//! that the page was opened by, `Origin` and `Sec-Fetch-Site` where the asking page came from.
//!
//! ```text
//! Host is not one of this listener's names      DNS rebinding     421
//! from another site, but for following a link   cross-site        403
//! changes something:
//!   the lab's owner has not allowed that                          403
//!   not from the page itself (Origin)           CSRF              403
//!   without the key                             other users       403
//! ```

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{TOKEN_HEADER, Token};
use crate::api::failure::Failure;

const FETCH_SITE: &str = "sec-fetch-site";
const FETCH_DEST: &str = "sec-fetch-dest";

/// What decides.
pub struct Guard {
    hosts: Vec<String>,
    token: Option<Token>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was sent to another name.
    Name,
    /// Another site's page sent it.
    Site,
    /// The page may not change anything.
    ReadOnly,
    /// It changes something and does not come from the page.
    Origin,
    /// It changes something and has no key, or a wrong one.
    Token,
}

impl Guard {
    /// For the listener at `address`; without a token nothing may be changed.
    pub fn new(address: SocketAddr, token: Option<Token>) -> Self {
        let port = address.port();
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
        hosts.push(address.to_string());
        if port == 80 {
            // Browsers leave this one out.
            hosts.extend(names.map(str::to_owned));
        }
        Self { hosts, token }
    }

    /// Whether a request may go on.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refused> {
        let host = only(headers, &header::HOST).ok_or(Refused::Name)?;
        if !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            return Err(Refused::Name);
        }
        let own = format!("http://{host}");
        let origin = headers.contains_key(header::ORIGIN).then(|| only(headers, &header::ORIGIN));
        let is_own = |origin: Option<&str>| origin.is_some_and(|it| it.eq_ignore_ascii_case(&own));
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let follows_link = reads && path == "/" && is_navigation(headers);
        if !is_ours(headers) && !follows_link {
            return Err(Refused::Site);
        }
        if reads {
            return if origin.is_none_or(is_own) { Ok(()) } else { Err(Refused::Site) };
        }
        let token = self.token.as_ref().ok_or(Refused::ReadOnly)?;
        if !origin.is_some_and(is_own) {
            return Err(Refused::Origin);
        }
        let offered = only(headers, &HeaderName::from_static(TOKEN_HEADER)).unwrap_or_default();
        if token.is(offered.as_bytes()) { Ok(()) } else { Err(Refused::Token) }
    }
}

/// Whether a request comes from the page, from a user who typed the address, or from no browser.
fn is_ours(headers: &HeaderMap) -> bool {
    let site = HeaderName::from_static(FETCH_SITE);
    !headers.contains_key(&site) || matches!(only(headers, &site), Some("same-origin" | "none"))
}

/// Whether somebody follows a link to the page: not into a frame, not as a part of another page.
fn is_navigation(headers: &HeaderMap) -> bool {
    only(headers, &HeaderName::from_static(FETCH_DEST)) == Some("document")
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

impl Refused {
    /// What it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Name => StatusCode::MISDIRECTED_REQUEST,
            Self::Site | Self::ReadOnly | Self::Origin | Self::Token => StatusCode::FORBIDDEN,
        }
    }

    /// The same for people.
    pub fn failure(self) -> Failure {
        match self {
            Self::Name => Failure::privilege("this page has another name")
                .remedy("open it by the address that `vmctl web` prints, or as localhost"),
            Self::Site => Failure::privilege("only the page itself may ask for this"),
            Self::ReadOnly => Failure::privilege("this page may not change the lab")
                .remedy("`vmctl up --web-control` allows it"),
            Self::Origin => Failure::privilege("only the page itself may change the lab")
                .remedy("scripts use the control socket, see docs/api.md"),
            Self::Token => Failure::privilege("the key to change the lab is missing or wrong")
                .remedy("open the page by the address that `vmctl web` prints"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (&str, &str) = ("host", "127.0.0.1:9464");
    const ORIGIN: (&str, &str) = ("origin", "http://127.0.0.1:9464");

    fn judge(
        guard: &Guard,
        request: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        let (method, path) = request.split_once(' ').expect("METHOD PATH");
        guard.judge(&method.parse().expect("a method"), path, &map)
    }

    fn guard(token: Option<&Token>) -> Guard {
        Guard::new("127.0.0.1:9464".parse().expect("an address"), token.cloned())
    }

    #[test]
    fn only_by_names_of_this_host_and_this_port() {
        let right = ["127.0.0.1:9464", "localhost:9464", "LocalHost:9464", "[::1]:9464"];
        for host in right {
            assert_eq!(judge(&guard(None), "GET /v1/status", &[("host", host)]), Ok(()), "{host}");
        }
        let wrong = [
            "evil.example:9464",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:94640",
            "localhost.evil.example:9464",
            "127.0.0.1.evil.example:9464",
            "127.0.0.1:9464@evil.example",
            "192.168.0.7:9464",
            "0.0.0.0:9464",
            "",
        ];
        for host in wrong {
            let judged = judge(&guard(None), "GET /", &[("host", host)]);
            assert_eq!(judged, Err(Refused::Name), "{host}");
        }
        assert_eq!(judge(&guard(None), "GET /", &[]), Err(Refused::Name));
        let twice = [HOST, ("host", "evil.example:9464")];
        assert_eq!(judge(&guard(None), "GET /", &twice), Err(Refused::Name));
    }

    #[test]
    fn another_loopback_address_and_the_port_that_goes_without_saying_are_names_too() {
        for (address, host) in [
            ("127.0.0.5:9464", "127.0.0.5:9464"),
            ("127.0.0.5:9464", "localhost:9464"),
            ("[::1]:9464", "[::1]:9464"),
            ("127.0.0.1:80", "localhost"),
        ] {
            let guard = Guard::new(address.parse().expect("an address"), None);
            assert_eq!(judge(&guard, "GET /", &[("host", host)]), Ok(()), "{address} {host}");
        }
    }

    /// `Sec-Fetch-Site`, `Sec-Fetch-Dest`, `Origin` of a request that reads, and what comes of it
    /// for the page and for what it shows.
    #[test]
    fn other_sites_may_link_to_the_page_and_read_nothing() {
        let (ok, site) = (Ok(()), Err(Refused::Site));
        let table: [(&[(&'static str, &str)], _, _); 9] = [
            (&[], ok, ok),
            (&[("sec-fetch-site", "none"), ("sec-fetch-dest", "document")], ok, ok),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "empty")], ok, ok),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")], ok, site),
            (&[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "document")], ok, site),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "iframe")], site, site),
            (&[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "script")], site, site),
            (&[("origin", "http://127.0.0.1:8000")], site, site),
            (&[("origin", "null")], site, site),
        ];
        for (headers, page, shown) in table {
            let headers = [&[HOST], headers].concat();
            assert_eq!(judge(&guard(None), "GET /", &headers), page, "{headers:?}");
            assert_eq!(judge(&guard(None), "GET /v1/status", &headers), shown, "{headers:?}");
        }
    }

    #[test]
    fn changes_need_leave_and_the_page_and_the_key() {
        let token = Token::new().expect("randomness");
        let (key, none) = (("chronotap-token", token.reveal()), ("chronotap-token", ""));
        let other = Token::new().expect("randomness");
        let wrong = ("chronotap-token", other.reveal());
        let (same, cross) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
        let evil = ("origin", "http://evil.example");
        let alias = ("origin", "http://localhost:9464");
        let table: [(&[(&'static str, &str)], _); 11] = [
            (&[HOST, ORIGIN, key], Ok(())),
            (&[HOST, ORIGIN, same, key], Ok(())),
            (&[HOST, ORIGIN], Err(Refused::Token)),
            (&[HOST, ORIGIN, none], Err(Refused::Token)),
            (&[HOST, ORIGIN, wrong], Err(Refused::Token)),
            (&[HOST, ORIGIN, key, wrong], Err(Refused::Token)),
            (&[HOST, key], Err(Refused::Origin)),
            (&[HOST, evil, key], Err(Refused::Origin)),
            (&[HOST, alias, key], Err(Refused::Origin)),
            (&[HOST, ORIGIN, cross, key], Err(Refused::Site)),
            (&[("host", "evil.example:9464"), ORIGIN, key], Err(Refused::Name)),
        ];
        for (headers, expected) in table {
            for request in ["POST /v1/pause", "PATCH /v1/links/a", "DELETE /", "POST /"] {
                let judged = judge(&guard(Some(&token)), request, headers);
                assert_eq!(judged, expected, "{request} {headers:?}");
            }
        }
        let judged = judge(&guard(None), "POST /v1/pause", &[HOST, ORIGIN, key]);
        assert_eq!(judged, Err(Refused::ReadOnly));
    }

    #[test]
    fn refusals_say_what_would_be_right() {
        let all =
            [Refused::Name, Refused::Site, Refused::ReadOnly, Refused::Origin, Refused::Token];
        let said =
            all.map(|refused| format!("{} {}", refused.status().as_u16(), refused.failure()));
        insta::assert_snapshot!(said.join("\n"), @"
        421 this page has another name
        403 only the page itself may ask for this
        403 this page may not change the lab
        403 only the page itself may change the lab
        403 the key to change the lab is missing or wrong
        ");
    }
}
