//! Pages from templates: one layout and one stylesheet for everything a person sees here, signing in included.

use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use capabilities::{Answer, Error, Office};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("../static/style.css");
const SCRIPT: &str = include_str!("../static/script.js");
const ICON: &str = include_str!("../static/icon.svg");
/// What changes its address with its content may be kept for good.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Browsers ask for it by this name whatever a page says.
const FOR_A_DAY: &str = "public, max-age=86400";
const TEMPLATES: &[(&str, &str)] = &[
    ("agents.html", include_str!("../templates/agents.html")),
    ("alerts.html", include_str!("../templates/alerts.html")),
    ("changes.html", include_str!("../templates/changes.html")),
    ("coverage.html", include_str!("../templates/coverage.html")),
    ("decision.html", include_str!("../templates/decision.html")),
    ("history.html", include_str!("../templates/history.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("letters.html", include_str!("../templates/letters.html")),
    ("refused.html", include_str!("../templates/refused.html")),
    ("request.html", include_str!("../templates/request.html")),
    ("rule.html", include_str!("../templates/rule.html")),
    ("rule_facts.html", include_str!("../templates/rule_facts.html")),
    ("rule_revoke.html", include_str!("../templates/rule_revoke.html")),
    ("rules.html", include_str!("../templates/rules.html")),
    ("undo.html", include_str!("../templates/undo.html")),
    ("undo_refused.html", include_str!("../templates/undo_refused.html")),
    ("undo_since.html", include_str!("../templates/undo_since.html")),
    ("waiting.html", include_str!("../templates/waiting.html")),
];

/// The templates, and the addresses of the files they load.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    style: String,
    script: String,
    icon: String,
}

/// What a refusal says beside its message.
#[derive(Debug)]
pub struct Refusal {
    /// What happened, in a few words.
    pub title: &'static str,
    /// What is so, if the answer's own message says it to programs.
    pub message: Option<String>,
    /// The way on.
    pub advice: String,
    /// Who is signed in, as the layout takes it.
    pub frame: Option<Value>,
    /// Whether the way on is to sign in.
    pub to_sign_in: bool,
}

impl Pages {
    /// The pages of this crate, and those of `more`, which extend `layout.html` and name no [`crate::Visitor`].
    pub fn new(more: &[(&'static str, &'static str)]) -> Result<Self, minijinja::Error> {
        let [style, script, icon] =
            [("style", STYLE, "css"), ("script", SCRIPT, "js"), ("icon", ICON, "svg")].map(address);
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_trim_blocks(true);
        templates.set_lstrip_blocks(true);
        for (name, address) in [("style", &style), ("script", &script), ("icon", &icon)] {
            templates.add_global(name, Value::from_safe_string(address.clone()));
        }
        templates.add_global("frame", Value::from(()));
        templates.add_global("frozen", Value::from(()));
        templates.add_global("nav", Value::from(()));
        for (name, text) in TEMPLATES.iter().chain(more) {
            templates.add_template(name, text)?;
        }
        Ok(Self { templates, style, script, icon })
    }

    /// What pages load besides. The addresses change with the content, so a browser may keep it for good.
    pub fn files(&self) -> Router {
        let file = |kind: &'static str, kept: &'static str, text: &'static str| {
            let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)];
            get(move || async move { (headers, text).into_response() })
        };
        Router::new()
            .route(&self.style, file("text/css; charset=utf-8", FOR_GOOD, STYLE))
            .route(&self.script, file("text/javascript; charset=utf-8", FOR_GOOD, SCRIPT))
            .route(&self.icon, file("image/svg+xml", FOR_GOOD, ICON))
            .route("/favicon.ico", file("image/svg+xml", FOR_A_DAY, ICON))
    }

    /// A page.
    pub fn show(&self, template: &str, values: Value) -> Result<Response, Error> {
        let broken = |error: minijinja::Error| Error::Internal(format!("{template}: {error}"));
        let html = self.templates.get_template(template).and_then(|page| page.render(values)).map_err(broken)?;
        let response = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
        response.body(Body::from(html)).map_err(|error| Error::Internal(error.to_string()))
    }

    /// A page, or one that says that it could not be made.
    pub(crate) fn respond(&self, office: &Office, template: &str, values: Value) -> Response {
        self.show(template, values).unwrap_or_else(|error| {
            let (title, advice) = ("That did not work", "Wait a moment and try again.".into());
            let refusal = Refusal { title, message: None, advice, frame: None, to_sign_in: false };
            self.refuse(office, &office.refuse(&error), &refusal)
        })
    }

    /// A refusal as a page: what is so, and the way on.
    #[must_use]
    pub fn refuse(&self, office: &Office, answer: &Answer, refusal: &Refusal) -> Response {
        let error = answer.error.clone().unwrap_or_default();
        let quote = (error["code"] == "INTERNAL").then(|| answer.meta.request_id.to_string());
        let values = context! {
            frame => refusal.frame.clone(), title => refusal.title, advice => refusal.advice, quote,
            to_sign_in => refusal.to_sign_in,
            may_go_on => refusal.frame.is_some() && refusal.message.is_none(), message => refusal.message.as_deref().or(error["message"].as_str()),
        };
        match self.show("refused.html", values) {
            Ok(page) => with_status(page, answer.status),
            Err(broken) => with_status(refusal.title.into_response(), office.refuse(&broken).status),
        }
    }
}

/// Where a file is found that has this text.
fn address((name, text, kind): (&str, &str, &str)) -> String {
    let digest: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/{name}-{digest}.{kind}")
}

/// The same page with the status that the office gave its answer.
pub fn with_status(mut response: Response, status: u16) -> Response {
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    response
}
