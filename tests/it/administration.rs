//! Administration without a browser: the real program's commands, and what the demo leaves for its owner.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::mcp_stdio::Installation;

fn run(at: &Installation, words: &[&str]) -> Output {
    at.command().args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(Some(Duration::from_secs(15))).build().into()
}

/// The name on the page of a link, and whether its button then signs in.
fn follow(link: &str) -> (String, bool) {
    let page = agent().get(link).call().unwrap().body_mut().read_to_string().unwrap();
    let name = page.split("<h1>Sign in as ").nth(1).and_then(|rest| rest.split(" at ").next()).unwrap_or_default();
    let signed_in = agent().post(link).send_empty().unwrap();
    let cookie = signed_in.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_string());
    (name.to_string(), cookie.is_some_and(|cookie| cookie.starts_with("frontdesk_session=fs_")))
}

#[test]
fn the_demos_people_sign_in_by_links_to_the_running_server() {
    let demo = Installation::demo();
    let file = demo.data.join("demo-owner.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let told: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(follow(told["owner_sign_in_url"].as_str().unwrap()), ("Olivia Bennett".into(), true));

    let printed = run(&demo, &["sign-in-link", "Marcus@RocketCityWindows.example"]);
    assert!(printed.status.success(), "{}", said(&printed));
    let printed = said(&printed);
    let (about, link) = printed.trim().split_once('\n').unwrap();
    assert_eq!(about, "Marcus Webb at Rocket City Window Cleaning, once within 15 minutes:");
    assert_eq!(follow(link), ("Marcus Webb".into(), true));
    assert!(!follow(link).1, "a link works once");

    let unknown = run(&demo, &["sign-in-link", "nobody@example.com"]);
    assert!(!unknown.status.success() && said(&unknown).contains("no active user has the address nobody@example.com"));
}

#[test]
fn an_organization_is_made_with_its_owner() {
    let demo = Installation::demo();
    let org = ["org", "create", "--name", "Clear View", "--timezone", "America/Chicago", "--currency", "USD"];
    let without = run(&demo, &org);
    assert!(!without.status.success() && said(&without).contains("--owner <EMAIL>"), "{}", said(&without));
    let wrong = run(&demo, &[&org[..], &["--owner", "jo", "--owner-name", " "]].concat());
    for part in ["--owner jo is not an e-mail address", "--owner-name must have"] {
        assert!(!wrong.status.success() && said(&wrong).contains(part), "{}", said(&wrong));
    }
    let made = run(&demo, &[&org[..], &["--owner", "jo@example.com"]].concat());
    assert!(said(&made).contains("signs in with: frontdesk sign-in-link jo@example.com"), "{}", said(&made));
    let printed = said(&run(&demo, &["sign-in-link", "jo@example.com"]));
    assert_eq!(follow(printed.trim().lines().last().unwrap()), ("jo".into(), true));
}
