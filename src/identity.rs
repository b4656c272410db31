//! Who stands behind an HTTP request: the bearer token, resolved to a caller.

use axum::http::{HeaderMap, header};
use capabilities::{Caller, Error, Office, Result};

/// The caller of a request by its `Authorization: Bearer` header (RFC 6750).
pub(crate) async fn caller(office: &Office, headers: &HeaderMap) -> Result<Caller> {
    office.authenticate(bearer(headers)?).await
}

fn bearer(headers: &HeaderMap) -> Result<&str> {
    let missing = || Error::Unauthenticated("This request carries no token.".into());
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let value = value.to_str().map_err(|_| missing())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(token.trim()),
        false => Err(missing()),
    }
}
