//! Nobody's outage holds up somebody else's work: services have lanes of their own, accounts circuits of their own, and a
//! worker that comes back too late settles nothing.

use std::sync::Arc;

use capabilities::world::{Letter, Mail};
use capabilities::{
    Action, Call, Delivery, Domain, Door, Effect, Errand, Input, NewOrg, Options, PermissionClass, Result, Source, Tx,
    Undelivered, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::desk::Desk;

/// How many organizations have a mail that hangs: several times as many as a lane has in hand.
const HANGING: usize = 60;

/// A letter.
#[derive(Serialize, Deserialize)]
struct Post {}
impl Errand for Post {
    const KIND: &str = "post";
    const SERVICE: &str = "mail";
    fn summary(&self) -> String {
        "A letter".into()
    }
    async fn deliver(&self, delivery: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        let letter = Letter {
            kind: "trial",
            name: None,
            to: "jane@example.com".into(),
            from_name: "Test Windows".into(),
            reply_to: None,
            subject: "A letter".into(),
            text: "A letter".into(),
            html: None,
        };
        delivery.mail(&letter).await
    }
}

/// Something for the account of another service, which does not work, works, or waits for a sign.
#[derive(Serialize, Deserialize)]
struct Fax {
    account: String,
    outcome: Outcome,
}
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It works.
    Works,
    /// It does not work.
    Fails,
    /// It begins and waits for [`GO_ON`].
    Waits,
}
static BEGUN: Notify = Notify::const_new();
static GO_ON: Notify = Notify::const_new();

impl Errand for Fax {
    const KIND: &str = "fax";
    const SERVICE: &str = "fax";
    fn account(&self) -> String {
        self.account.clone()
    }
    fn summary(&self) -> String {
        format!("A fax by {}", self.account)
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        match self.outcome {
            Outcome::Works => Ok(()),
            Outcome::Fails => Err(Undelivered::Later("the line is busy".into())),
            Outcome::Waits => {
                BEGUN.notify_one();
                GO_ON.notified().await;
                Ok(())
            }
        }
    }
}

/// Leave a letter, a fax and a job.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// Whether a letter.
    post: bool,
    /// By whose account a fax,
    fax: Option<String>,
    /// and what becomes of it.
    outcome: Option<Outcome>,
    /// Whether to do the same again as a job, without all that.
    job: bool,
}
#[derive(Serialize, JsonSchema)]
struct Left {}
impl Action for Leave {
    const NAME: &str = "trial.leave";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Left;
    fn example() -> Value {
        json!({"post": true, "job": false})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Left> {
        if self.post {
            tx.errand(&Post {}).await?;
        }
        if let (Some(account), Some(outcome)) = (self.fax, self.outcome) {
            tx.errand(&Fax { account, outcome }).await?;
        }
        if self.job {
            tx.later(tx.now(), &Self { post: false, fax: None, outcome: None, job: false }).await?;
        }
        Ok(Left {})
    }
}

fn domains() -> Vec<Domain> {
    let trial = Domain::new("trial", "What goes outside").action::<Leave>().errand::<Post>().errand::<Fax>();
    handlers::domains().into_iter().chain([trial]).collect()
}

async fn leave(desk: &Desk, org: Uuid, input: Value) {
    let system = desk.office.system(org, "trial").await.unwrap();
    let call = Call {
        action: Leave::NAME.into(),
        input: Input::One(input),
        options: Options::default(),
        source: Source::of(Door::Program),
    };
    let answer = desk.office.call(&system, call).await;
    assert!(answer.success(), "{:#}", answer.envelope());
}

async fn count(desk: &Desk, question: &'static str) -> i64 {
    sqlx::query_scalar(question).fetch_one(&mut desk.sql().await).await.unwrap()
}

/// A mail server that takes every connection and never says a word; tells of each.
async fn silent() -> (String, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (told, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
            if told.send(()).is_err() {
                return;
            }
        }
    });
    (url, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_hangs_for_sixty_businesses_holds_up_no_other_service_and_no_job() {
    let (url, mut connections) = silent().await;
    let desk = Desk::alone(domains(), Mail::smtp(&url, "office@rocketcity.example").unwrap()).await;
    for nth in 0..HANGING {
        let new = NewOrg {
            name: format!("Windows {nth}"),
            timezone: "America/Chicago".into(),
            currency: "USD".into(),
            country: "US".into(),
        };
        let org = desk.office.create_org(&new, &Source::of(Door::Program)).await.unwrap();
        leave(&desk, org, json!({"post": true, "job": false})).await;
    }
    let working = tokio::spawn(desk.office.clone().work(std::future::pending()));
    connections.recv().await.expect("a worker connects to the mail server");
    let healthy = json!({"post": false, "fax": "ours", "outcome": "works", "job": true});
    leave(&desk, desk.org, healthy).await;
    let done = "select (select count(*) from errands where kind = 'fax' and state = 'done') \
        + (select count(*) from jobs where action = 'trial.leave' and state = 'done')";
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    let both = async {
        while count(&desk, done).await < 2 {
            looks.tick().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), both).await.expect("done while the mails hang");
    let mailed =
        "select count(*) from errands where kind = 'post' and (ended_at is not null or last_error is not null)";
    assert_eq!(count(&desk, mailed).await, 0, "not one of the mails came to an end before");
    working.abort();
}

#[tokio::test]
async fn an_account_that_does_not_work_rests_and_the_others_of_its_service_go_on() {
    let desk = Desk::with(domains()).await;
    for _ in 0..5 {
        leave(&desk, desk.org, json!({"post": false, "fax": "theirs", "outcome": "fails", "job": false})).await;
    }
    desk.work().await;
    let untried = "select count(*) from errands where org_id = $1 and attempts = 0";
    let left =
        async || -> i64 { sqlx::query_scalar(untried).bind(desk.org).fetch_one(&mut desk.sql().await).await.unwrap() };
    leave(&desk, desk.org, json!({"post": false, "fax": "theirs", "outcome": "works", "job": false})).await;
    leave(&desk, desk.org, json!({"post": false, "fax": "ours", "outcome": "works", "job": false})).await;
    desk.work().await;
    assert_eq!(left().await, 1, "theirs rests, ours is done");
    desk.pass(chrono::TimeDelta::seconds(61));
    desk.work().await;
    assert_eq!(left().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_paused_while_it_delivered_settles_nothing_that_another_has_by_now() {
    let desk = Arc::new(Desk::with(domains()).await);
    leave(&desk, desk.org, json!({"post": false, "fax": "ours", "outcome": "waits", "job": false})).await;
    let paused = tokio::spawn({
        let desk = desk.clone();
        async move { desk.office.work_off_of(desk.org).await }
    });
    BEGUN.notified().await;
    let mut sql = desk.sql().await;
    let claimed_anew = "update errands set attempts = attempts + 1 where org_id = $1 and kind = 'fax'";
    sqlx::query(claimed_anew).bind(desk.org).execute(&mut sql).await.unwrap();
    GO_ON.notify_one();
    paused.await.unwrap().unwrap();
    let open =
        "select count(*) from errands where org_id = $1 and kind = 'fax' and state = 'recorded' and ended_at is null";
    let open: i64 = sqlx::query_scalar(open).bind(desk.org).fetch_one(&mut sql).await.unwrap();
    assert_eq!(open, 1, "it is in the other worker's hands");
    let settled = desk.owner().await.read("audit", json!({"action": "errand.settle"})).await.ok();
    assert_eq!(settled, json!([]));
}
