//! Tokens: what agents, sessions and sign-in links are known by.
//!
//! A token is a prefix that says what it opens, the organization's id and 256 random bits, both in base64url: it carries
//! its organization in clear, so that a look-up knows where to look. Stored is its SHA-256; of an agent's also the first
//! characters of its random part, by which people recognise it.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// 16 bytes in base64 without padding.
const ORG_LENGTH: usize = 22;
/// 32 bytes in base64 without padding.
const SECRET_LENGTH: usize = 43;
const PREFIX_LENGTH: usize = 8;
/// What a session's proof is derived for, so that the same token gives something else elsewhere.
const CSRF_CONTEXT: &[u8] = b"frontdesk csrf 1\0";

/// A kind of token.
pub trait TokenKind {
    /// What its tokens begin with.
    const START: &'static str;
    /// What it is called where a secret must not be shown.
    const NAME: &'static str;
}

/// By which an agent is known.
#[derive(Debug, Clone, Copy)]
pub struct OfAgent;

impl TokenKind for OfAgent {
    const START: &'static str = "fd_";
    const NAME: &'static str = "AgentToken";
}

/// By which a person who signed in is known.
#[derive(Debug, Clone, Copy)]
pub struct OfSession;

impl TokenKind for OfSession {
    const START: &'static str = "fs_";
    const NAME: &'static str = "SessionToken";
}

/// By which a person signs in, once.
#[derive(Debug, Clone, Copy)]
pub struct OfLink;

impl TokenKind for OfLink {
    const START: &'static str = "fl_";
    const NAME: &'static str = "LinkToken";
}

/// An agent's token.
pub type AgentToken = Token<OfAgent>;
/// What the cookie of a signed-in person holds.
pub type SessionToken = Token<OfSession>;
/// What a sign-in link ends with.
pub type LinkToken = Token<OfLink>;

/// A token in clear. Never stored and never logged: it has no `Debug` that shows it.
#[derive(Clone)]
pub struct Token<K> {
    text: String,
    kind: PhantomData<K>,
}

impl<K: TokenKind> fmt::Debug for Token<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::NAME)
    }
}

impl<K: TokenKind> Token<K> {
    /// A new token of `org`.
    pub(crate) fn mint(org: Uuid) -> Self {
        let secret: [u8; 32] = rand::random();
        Self::of(format!("{}{}{}", K::START, BASE64.encode(org.as_bytes()), BASE64.encode(secret)))
    }

    /// Reads a token; only its form is judged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // It is cut by its bytes further down.
        let body = text.strip_prefix(K::START).filter(|body| body.is_ascii())?;
        let formed = body.len() == ORG_LENGTH + SECRET_LENGTH && BASE64.decode(body.get(..ORG_LENGTH)?).is_ok();
        formed.then(|| Self::of(text.into()))
    }

    fn of(text: String) -> Self {
        Self { text, kind: PhantomData }
    }

    /// The token itself, to be handed out once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) fn org(&self) -> Option<Uuid> {
        let bytes = BASE64.decode(&self.text[K::START.len()..K::START.len() + ORG_LENGTH]).ok()?;
        Uuid::from_slice(&bytes).ok()
    }

    /// How its random part begins: what people recognise it by.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let secret = K::START.len() + ORG_LENGTH;
        &self.text[secret..secret + PREFIX_LENGTH]
    }

    /// What is kept of it, to know it again.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }
}

impl SessionToken {
    /// What a write in this session must carry beside the cookie, so that a page of another site, which sends the cookie
    /// along but cannot read it, cannot write. Derived, so nothing is stored.
    #[must_use]
    pub fn csrf(&self) -> String {
        BASE64.encode(Sha256::new().chain_update(CSRF_CONTEXT).chain_update(&self.text).finalize())
    }

    /// Whether `given` is this session's, without telling by the time taken how much of it is right.
    #[must_use]
    pub fn accepts_csrf(&self, given: &str) -> bool {
        self.csrf().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);

    #[test]
    fn a_token_knows_its_organization_and_hides_itself() {
        let token = AgentToken::mint(ORG);
        let read = AgentToken::parse(token.reveal()).unwrap();
        assert_eq!(read.org(), Some(ORG));
        assert_eq!(read.hash(), token.hash());
        assert_eq!(token.reveal().len(), 68);
        assert_eq!(format!("{token:?} {:?}", SessionToken::mint(ORG)), "AgentToken SessionToken");
        assert_ne!(AgentToken::mint(ORG).reveal(), token.reveal());
    }

    #[test]
    fn what_is_not_a_token_is_not_read() {
        for wrong in [
            "",
            "fd_",
            "sk_live_abc",
            "fd_tooshort",
            &format!("fd_{}", "é".repeat(40)),
            &format!("fd_{}", "!".repeat(65)),
        ] {
            assert!(AgentToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_token_that_is_not_ascii_is_refused_before_it_is_cut() {
        let token = AgentToken::mint(ORG);
        let org = &token.reveal()[..3 + ORG_LENGTH];
        // As long as a token, with a character across the place where the part that people recognise ends.
        let wrong = format!(
            "{org}{}{}",
            "a".repeat(PREFIX_LENGTH - 1),
            "é".repeat((SECRET_LENGTH - PREFIX_LENGTH).div_ceil(2))
        );
        assert_eq!(wrong.len(), token.reveal().len());
        assert!(AgentToken::parse(&wrong).is_none());
        let right = wrong.replace("é", "ee");
        assert_eq!(AgentToken::parse(&right).unwrap().prefix(), "aaaaaaae");
    }

    #[test]
    fn a_token_opens_one_kind_of_thing() {
        let (session, link) = (SessionToken::mint(ORG), LinkToken::mint(ORG));
        assert!(session.reveal().starts_with("fs_") && link.reveal().starts_with("fl_"));
        assert!(SessionToken::parse(link.reveal()).is_none() && LinkToken::parse(session.reveal()).is_none());
        assert!(AgentToken::parse(session.reveal()).is_none() && SessionToken::parse(session.reveal()).is_some());
    }

    #[test]
    fn a_proof_belongs_to_one_session_and_does_not_give_its_token_away() {
        let (one, other) = (SessionToken::mint(ORG), SessionToken::mint(ORG));
        assert!(one.accepts_csrf(&one.csrf()) && !one.accepts_csrf(&other.csrf()));
        for wrong in ["", &one.csrf()[1..], one.reveal()] {
            assert!(!one.accepts_csrf(wrong), "{wrong}");
        }
        assert_eq!(one.csrf().len(), 43);
        assert_ne!(BASE64.encode(one.hash()), one.csrf(), "what is stored is no proof");
    }
}
