//! Saying "you have it already": what is read again and again is sent once.
//!
//! The tag is weak, because two answers that say the same still differ in `request_id` and `timestamp`.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

/// Each caller has its own copy, and asks every time whether it still holds.
const OWN: HeaderValue = HeaderValue::from_static("private, no-cache");
const BY_CALLER: HeaderValue = HeaderValue::from_static("authorization, cookie");

/// What makes one answer different from another.
#[derive(Debug, Clone)]
pub(crate) struct Tag(HeaderValue);

impl Tag {
    /// The tag of these bytes.
    pub fn of(parts: &[&[u8]]) -> Self {
        let digest = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(HeaderValue::from_str(&format!("W/\"{digits}\"")).unwrap_or(HeaderValue::from_static("W/\"\"")))
    }

    /// Adds the tag, or leaves away what the asker has already.
    pub fn put_on(self, mut response: Response, asked: &HeaderMap) -> Response {
        if asked.get_all(header::IF_NONE_MATCH).iter().any(|known| self.is_among(known)) {
            let cache = response.headers_mut().remove(header::CACHE_CONTROL);
            response = StatusCode::NOT_MODIFIED.into_response();
            response.headers_mut().extend(cache.map(|cache| (header::CACHE_CONTROL, cache)));
        }
        response.headers_mut().insert(header::ETAG, self.0);
        response
    }

    fn is_among(&self, known: &HeaderValue) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_string();
        let (Ok(own), Ok(known)) = (self.0.to_str(), known.to_str()) else { return false };
        known.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(own))
    }
}

/// An answer that its caller may keep, by its tag.
pub(crate) fn keepable(tag: Tag, mut response: Response, asked: &HeaderMap) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, OWN);
    let mut response = tag.put_on(response, asked);
    response.headers_mut().insert(header::VARY, BY_CALLER);
    response
}
