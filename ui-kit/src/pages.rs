//! Pages from templates: one layout and one stylesheet for everything a person sees here, signing in included.

use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use capabilities::{Answer, Error, Office};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use sha2::{Digest as _, Sha256};

use crate::refusals::Refusal;
use crate::routes::with_status;
use crate::ui::Door;

const STYLE: &str = include_str!("../static/style.css");
const SCRIPT: &str = include_str!("../static/script.js");
const ICON: &str = include_str!("../static/icon.svg");
/// What changes its address with its content may be kept for good.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Browsers ask for it by this name whatever a page says.
const FOR_A_DAY: &str = "public, max-age=86400";

/// Puts the templates of a folder in.
pub type Templates = fn(&mut Environment<'static>);

/// A file that pages load.
#[derive(Debug)]
struct File {
    address: String,
    kind: &'static str,
    kept: &'static str,
    text: &'static str,
}

/// The templates, and the files they load.
#[derive(Debug)]
pub(crate) struct Pages {
    templates: Environment<'static>,
    files: Vec<File>,
}

impl Pages {
    /// The templates of these doors, which extend `layout.html`.
    pub fn new(doors: &[Door]) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_trim_blocks(true);
        templates.set_lstrip_blocks(true);
        for name in ["frame", "frozen", "did"] {
            templates.add_global(name, Value::from(()));
        }
        let mut files = vec![File { address: "/favicon.ico".into(), kept: FOR_A_DAY, ..File::of("icon", ICON, "svg") }];
        let own = [("style", STYLE, "css"), ("script", SCRIPT, "js"), ("icon", ICON, "svg")];
        let styles = doors.iter().flat_map(|door| door.styles).map(|(name, text)| (*name, *text, "css"));
        for (nth, (name, text, kind)) in own.into_iter().chain(styles).enumerate() {
            let file = File::of(name, text, kind);
            let name = if nth < own.len() { name.into() } else { format!("{name}_style") };
            templates.add_global(name, Value::from_safe_string(file.address.clone()));
            files.push(file);
        }
        for load in [own_templates as Templates].into_iter().chain(doors.iter().filter_map(|door| door.templates)) {
            let mut more = Environment::new();
            load(&mut more);
            let twice = more.templates().find(|(name, _)| templates.templates().any(|(known, _)| known == *name));
            if let Some((name, _)) = twice {
                let twice = format!("two templates are called {name}");
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, twice));
            }
            load(&mut templates);
        }
        Ok(Self { templates, files })
    }

    /// What pages load besides. The addresses change with the content, so a browser may keep it for good.
    pub fn files(&self) -> Router {
        self.files.iter().fold(Router::new(), |router, file| {
            let (headers, text) = ([(header::CONTENT_TYPE, file.kind), (header::CACHE_CONTROL, file.kept)], file.text);
            router.route(&file.address, get(move || async move { (headers, text).into_response() }))
        })
    }

    /// A part of a page, safe to stand in another.
    pub fn part(&self, template: &str, values: Value) -> Result<Value, Error> {
        let broken = |error: minijinja::Error| Error::Internal(format!("{template}: {error}"));
        let html = self.templates.get_template(template).and_then(|part| part.render(values)).map_err(broken)?;
        Ok(Value::from_safe_string(html))
    }

    /// A page.
    pub fn show(&self, template: &str, values: Value) -> Result<Response, Error> {
        let broken = |error: minijinja::Error| Error::Internal(format!("{template}: {error}"));
        let html = self.templates.get_template(template).and_then(|page| page.render(values)).map_err(broken)?;
        let response = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
        response.body(Body::from(html)).map_err(|error| Error::Internal(error.to_string()))
    }

    /// A page, or one that says that it could not be made.
    pub fn respond(&self, office: &Office, template: &str, values: Value) -> Response {
        self.show(template, values).unwrap_or_else(|error| {
            let answer = office.refuse(&error);
            self.refuse(office, &answer, Refusal::of(&answer).values(&answer))
        })
    }

    /// A refusal as a page: what is so, and the way on.
    pub fn refuse(&self, office: &Office, answer: &Answer, values: Value) -> Response {
        match self.show("refused.html", values) {
            Ok(page) => with_status(page, answer.status),
            Err(broken) => {
                let answer = office.refuse(&broken);
                with_status(Refusal::of(&answer).title.into_response(), answer.status)
            }
        }
    }
}

/// The templates of all pages.
#[expect(clippy::expect_used, reason = "they are a part of the program, and each test of a page parses all of them")]
fn own_templates(environment: &mut Environment<'static>) {
    minijinja_embed::load_templates!(*environment);
}

impl File {
    /// A file whose address changes with its text.
    fn of(name: &str, text: &'static str, ending: &str) -> Self {
        let digest: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let kind = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        Self { address: format!("/{name}-{digest}.{ending}"), kind, kept: FOR_GOOD, text }
    }
}
