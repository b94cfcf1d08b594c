//! The page as it lies in `page/`: written by hand for the browsers of today, served as it is.

use axum::{Router, http::header, response::IntoResponse as _, routing::get};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type and text of each file.
const FILES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/page.css", CSS, include_str!("page/page.css")),
    ("/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/main.js", JS, include_str!("page/main.js")),
    ("/network.js", JS, include_str!("page/network.js")),
    ("/layout.js", JS, include_str!("page/layout.js")),
    ("/drawing.js", JS, include_str!("page/drawing.js")),
    ("/panels.js", JS, include_str!("page/panels.js")),
    ("/steering.js", JS, include_str!("page/steering.js")),
    ("/words.js", JS, include_str!("page/words.js")),
];

/// A route for each file.
pub fn routes() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        let serve = async move || ([(header::CONTENT_TYPE, kind)], text).into_response();
        router.route(path, get(serve))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy forbids them, and a page that breaks it shows nothing.
    #[test]
    fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
        for (path, _, text) in FILES {
            // Namespaces are names and fetched by nobody.
            let text = text.replace("http://www.w3.org/", "");
            for foreign in ["http://", "https://", "src=\"//", "innerHTML", "eval(", "style=\""] {
                assert!(!text.contains(foreign), "{path} has {foreign}");
            }
        }
        let (_, _, html) = FILES[0];
        assert!(!html.contains(" on") || !html.contains("onclick"), "scripts in attributes");
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=").count()
        );
    }

    #[test]
    fn whatever_is_imported_is_served() {
        for (path, _, text) in FILES {
            let imports = text.lines().filter_map(|line| line.split_once(" from \"./"));
            for (_, rest) in imports {
                let name = rest.split('"').next().unwrap_or_default();
                let served = FILES.iter().any(|(path, ..)| path.strip_prefix('/') == Some(name));
                assert!(served, "{path} imports {name}");
            }
        }
    }
}
