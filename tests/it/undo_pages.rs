//! The way back on pages: shown before it is done, done as shown, and refused in words.

use chrono::TimeDelta;
use serde_json::json;

use crate::desk::Actor;
use crate::queue_pages::{look, send, six_waiting, submit};
use crate::rest::Web;

/// Six contacts that an agent has archived with the owner's consent: the path of the request's page.
async fn six_archived(web: &Web) -> String {
    let (path, id) = six_waiting(web).await;
    web.desk.owner().await.allow_once(&id).await.ok();
    path
}

async fn archived(web: &Web) -> usize {
    let contacts = web.desk.owner().await.read("contacts", json!({"archived": "only"})).await.ok();
    contacts.as_array().unwrap().len()
}

#[tokio::test]
async fn the_owner_looks_at_what_an_undo_would_restore_and_undoes_it_once() {
    let web = Web::open().await;
    let (owner, path) = (web.desk.owner().await, six_archived(&web).await);
    let undo = format!("{path}/undo");
    look(&web, &owner, &path).await.has(&["Undo this …", &format!("href=\"{undo}\"")]).has_not(&["Undone"]);
    let page = look(&web, &owner, &undo).await;
    page.has(&[
        "Undo: archive 6 contacts",
        "Agent Front Office did this.",
        "What would be as it was before",
        "↻ Changed 6 contacts",
        "Contact 5, Contact 4, Contact 3, Contact 2, Contact 1, Contact 0",
        "data-capability=\"audit.undo\"",
        "Leave it as it is",
    ])
    .has_not(&["What cannot be brought back", "audit.undo with"]);
    assert_eq!(archived(&web).await, 6, "looking changes nothing");
    let seen = page.field("seen");
    let form = [("seen", seen.as_str())];
    submit(&web, &owner, &undo, &form).await.leads_to(&format!("{path}?told=undone"));
    assert_eq!(archived(&web).await, 0);
    look(&web, &owner, &format!("{path}?told=undone"))
        .await
        .has(&["Undone: everything it changed is as it was before.", "Undone by Olivia Owner just now"])
        .has_not(&["Undo this …"]);
    // The form once more, and the page by a bookmark.
    submit(&web, &owner, &undo, &form).await.leads_to(&format!("{path}?told=undone"));
    look(&web, &owner, &undo).await.leads_to(&format!("{path}?told=undone"));
    let calls = owner.read("audit", json!({"action": "audit.undo"})).await.ok();
    let outcomes: Vec<_> = calls.as_array().unwrap().iter().map(|call| (&call["outcome"], &call["door"])).collect();
    assert_eq!(outcomes, [(&json!("done"), &json!("page"))]);
}

#[tokio::test]
async fn what_was_not_shown_is_not_undone() {
    let web = Web::open().await;
    let (owner, path) = (web.desk.owner().await, six_archived(&web).await);
    let undo = format!("{path}/undo");
    for seen in ["0000", "no plan at all"] {
        let page = submit(&web, &owner, &undo, &[("seen", seen)]).await;
        assert_eq!(page.status, 409);
        page.has(&["Something changed since this page was made", "Changed 6 contacts"]);
        assert_eq!(archived(&web).await, 6);
        assert_ne!(page.field("seen"), seen);
    }
}

#[tokio::test]
async fn a_forged_form_and_people_without_the_role_undo_nothing() {
    let web = Web::open().await;
    let (owner, technician, path) = (web.desk.owner().await, web.desk.technician().await, six_archived(&web).await);
    let undo = format!("{path}/undo");
    let seen = look(&web, &owner, &undo).await.field("seen");
    for forged in [format!("seen={seen}"), format!("_csrf={}&seen={seen}", technician.session().csrf())] {
        assert_eq!(send(&web, &owner, &undo, &forged).await.status, 403);
    }
    let agent = web.desk.agent().await.caller.id().unwrap();
    let all = format!("/queue/agents/{agent}/undo");
    for page in [&undo, &all, &format!("{all}?since=2030-01-07T00:00")] {
        assert_eq!(look(&web, &technician, page).await.status, 403, "{page}");
    }
    assert_eq!(submit(&web, &technician, &undo, &[("seen", &seen)]).await.status, 403);
    let all_of_it = [("seen", seen.as_str()), ("since", "2030-01-07T00:00")];
    assert_eq!(submit(&web, &technician, &all, &all_of_it).await.status, 403);
    assert_eq!(archived(&web).await, 6);
    for nowhere in ["/queue/no-id/undo", "/queue/01970000-0000-7000-8000-000000000001/undo", "/queue/agents/x/undo"] {
        assert_eq!(look(&web, &owner, nowhere).await.status, 404, "{nowhere}");
    }
}

#[tokio::test]
async fn later_changes_that_stand_against_it_are_told_in_words() {
    let web = Web::open().await;
    let (owner, manager, path) = (web.desk.owner().await, web.desk.manager().await, six_archived(&web).await);
    let undo = format!("{path}/undo");
    let seen = look(&web, &owner, &undo).await.field("seen");
    web.desk.pass(TimeDelta::minutes(5));
    let contact = owner.read("contacts", json!({"archived": "only"})).await.ok()[0]["id"].clone();
    manager.call("contact.restore", json!({"contact_id": contact})).await.ok();
    for page in [look(&web, &owner, &undo).await, submit(&web, &owner, &undo, &[("seen", &seen)]).await] {
        assert_eq!(page.status, 409);
        page.has(&[
            "This cannot be undone now",
            "Max Manager changed archived at of the contact just now (today, 3:05 AM)",
            "Back to the request",
        ])
        .has_not(&["audit.undo", "CHANGED_SINCE", "contact.restore"]);
    }
    assert_eq!(archived(&web).await, 5);
}

async fn since(web: &Web, person: &Actor, path: &str, since: &str) -> crate::queue_pages::Page {
    look(web, person, &format!("{path}?since={since}")).await
}

#[tokio::test]
async fn all_that_an_agent_did_since_a_time_is_undone_from_the_agents_page() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let path = format!("/queue/agents/{}/undo", agent.caller.id().unwrap());
    let jane = agent.contact("Jane", json!({})).await;
    web.desk.pass(TimeDelta::hours(1));
    agent.call("contact.update", json!({"contact_id": jane, "given_name": "Johanna"})).await.ok();
    agent.contact("John", json!({"notes": ["Long ladder."]})).await;
    look(&web, &owner, "/queue/agents").await.has(&["Undo what it did …", &format!("href=\"{path}\"")]);
    look(&web, &owner, &path)
        .await
        .has(&["Undo what agent Front Office did", "type=\"datetime-local\" required value=\"2030-01-07T00:00\""]);
    look(&web, &owner, &format!("{path}?since=soon")).await.has(&["From this time on"]);
    since(&web, &owner, &path, "2030-01-07T05:00")
        .await
        .has(&["This cannot be undone now", "has changed nothing since then"]);
    let page = since(&web, &owner, &path, "2030-01-07T03:30").await;
    page.has(&["2 changes from today, 3:30 AM on", "Johanna", "John", "Long ladder."])
        .has_not(&["Deleted contact Jane"]);
    let form = [("seen", page.field("seen")), ("since", page.field("since"))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Another change of the agent comes first: nothing is undone that was not shown.
    agent.contact("Jim", json!({})).await;
    let page = submit(&web, &owner, &path, &form).await;
    assert_eq!(page.status, 409);
    page.has(&["Something changed since this page was made", "3 changes", "Jim"]);
    let form = [("seen", page.field("seen")), ("since", page.field("since"))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    submit(&web, &owner, &path, &form).await.leads_to("/queue/agents?told=undone");
    look(&web, &owner, "/queue/agents?told=undone").await.has(&["what the agent did is as it was before"]);
    let left = owner.read("contacts", json!({})).await.ok();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["given_name"]), (1, &json!("Jane")));
}

#[tokio::test]
async fn a_list_of_many_changes_is_paged() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let items = (0..310).map(|nth| json!({"kind": "person", "given_name": format!("Contact {nth}")})).collect();
    let options = capabilities::Options { reasoning: Some("An import.".into()), ..capabilities::Options::default() };
    let id = agent.call_items("contact.create", items, options).await.held();
    owner.allow_once(&id).await.ok();
    let undo = format!("/queue/{id}/undo");
    let links = async |path: String| look(&web, &owner, &path).await.html.replace("&#x2f;", "/");
    let (first, second) = (links(undo.clone()).await, links(format!("{undo}?from=200")).await);
    assert!(first.contains(&format!("href=\"{undo}?from=200\"")), "{first}");
    assert!(second.contains(&format!("href=\"{undo}?\"")) && second.contains("Contact 0"), "{second}");
    let all = links(format!("/queue/agents/{}/undo?since=2030-01-07T00:00:00", agent.caller.id().unwrap())).await;
    assert!(all.contains("?since=2030-01-07T00:00&amp;from=200"), "{all}");
}
