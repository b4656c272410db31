//! A person before a browser: headless Chromium, driven over WebDriver, at a door that really listens.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions, PointerAction, TouchActions};
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::{ParseError, Url};

use crate::desk::{Actor, Desk, fresh};
use crate::rest::Web;

/// Longer than anything takes that a page does by itself.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOKS_EVERY: Duration = Duration::from_millis(25);
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // The browser ends with whoever holds the other end of its pipe, also when that is killed.
    "--remote-debugging-pipe",
];

/// The doors of a desk, on a port.
pub struct Premises {
    pub web: Web,
    pub url: String,
    serving: JoinHandle<()>,
}

impl Premises {
    pub async fn open() -> Self {
        Self::of(Desk::open().await).await
    }

    pub async fn of(desk: Desk) -> Self {
        Self::serving(Web::of(desk, &[]).await).await
    }

    /// Doors that are there already.
    pub async fn serving(web: Web) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let doors = web.doors.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(listener, doors).await.unwrap() });
        Self { web, url, serving }
    }
}

impl Drop for Premises {
    fn drop(&mut self) {
        self.web.stop.cancel();
        self.serving.abort();
    }
}

/// A running chromedriver. Its browsers end with it.
pub struct Driver {
    process: Child,
    url: String,
    scratch: PathBuf,
}

/// How wide a screen is, and whether it is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Phone,
    Desk,
}

impl Screen {
    pub fn width(self) -> u32 {
        match self {
            Self::Phone => 390,
            Self::Desk => 1280,
        }
    }
}

/// One person's browser.
pub struct Browser {
    pub client: Client,
    pub url: String,
}

/// What WebDriver has no word for: a command of the browser's own protocol.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.command, "params": self.parameters}).to_string()))
    }
}

/// What `script/setup` finds or installs: the browser, its driver, and the checker of accessibility.
struct Tools {
    chromium: String,
    driver: String,
    axe: String,
}

static TOOLS: LazyLock<Tools> = LazyLock::new(|| {
    let script = concat!("source ", env!("CARGO_MANIFEST_DIR"), "/script/setup && need_chromium && need_axe && env");
    let output = Command::new("bash").args(["-c", script]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "script/setup finds or installs a browser");
    let settings = String::from_utf8_lossy(&output.stdout).to_string();
    let of = |name: &str| {
        let line = settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("script/setup says no {name}")).to_string()
    };
    Tools { chromium: of("FRONTDESK_CHROMIUM"), driver: of("FRONTDESK_CHROMEDRIVER"), axe: of("FRONTDESK_AXE") }
});

impl Driver {
    pub fn start() -> Self {
        let scratch = std::env::temp_dir().join(format!("frontdesk-browser-{}", fresh()));
        std::fs::create_dir_all(&scratch).unwrap();
        // It takes a port that is free for one family of addresses and ends if that is taken for the other one.
        let mut said = Vec::new();
        for _ in 0..5 {
            match Self::listening(&scratch) {
                Ok((process, url)) => return Self { process, url, scratch },
                Err(why) => said.push(why),
            }
        }
        panic!("chromedriver does not say where it listens: {said:#?}");
    }

    /// A chromedriver and where it listens, or all that it said before it ended.
    fn listening(scratch: &Path) -> Result<(Child, String), String> {
        let log = scratch.join("chromedriver.err");
        let mut process = Command::new(&TOOLS.driver)
            .arg("--port=0")
            .env("TMPDIR", scratch)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let port = lines.find_map(|line| {
            let port = line.split("successfully on port ").nth(1).map(|port| port.trim_end_matches('.').to_string());
            said.push(line);
            port
        });
        match port {
            Some(port) => {
                std::thread::spawn(move || lines.for_each(drop));
                Ok((process, format!("http://127.0.0.1:{port}")))
            }
            None => {
                let status = process.wait().unwrap();
                Err(format!("{status}: {} {}", said.join(" "), std::fs::read_to_string(log).unwrap()))
            }
        }
    }

    /// A fresh browser, before the premises.
    pub async fn browser(&self, premises: &Premises) -> Browser {
        let profile = format!("--user-data-dir={}", self.scratch.join(fresh()).display());
        let arguments: Vec<&str> = ARGUMENTS.iter().copied().chain([profile.as_str()]).collect();
        let options = json!({"binary": TOOLS.chromium, "args": arguments});
        let capabilities = serde_json::from_value(json!({"goog:chromeOptions": options})).unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await.unwrap();
        Browser { client, url: premises.url.clone() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends its browsers first; killed, it would leave them to write into the folder a little longer.
        drop(ureq::get(format!("{}/shutdown", self.url)).call());
        let mut looks = 0..200;
        while looks.next().is_some() && !matches!(self.process.try_wait(), Ok(Some(_))) {
            std::thread::park_timeout(LOOKS_EVERY);
        }
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.scratch));
    }
}

impl Browser {
    pub async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(DevTools { command, parameters }).await.unwrap()
    }

    /// As wide as that; a phone is touched.
    pub async fn on(&self, screen: Screen) {
        let (is_phone, height) = (screen == Screen::Phone, if screen == Screen::Phone { 844 } else { 900 });
        let metrics = json!({"width": screen.width(), "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_phone})).await;
    }

    pub async fn dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    pub async fn without_scripts(&self, without: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": without})).await;
    }

    /// Puts the person's session into the browser.
    pub async fn be(&self, person: &Actor) {
        let cookie = json!({"name": "frontdesk_session", "value": person.session().reveal(), "url": self.url});
        self.devtools("Network.setCookie", cookie).await;
    }

    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Where it is, without the host and the place on the page.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        assert!(url.as_str().starts_with(&self.url), "elsewhere: {url}");
        url[url::Position::BeforePath..url::Position::AfterQuery].to_string()
    }

    pub async fn find(&self, selector: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("no {selector}: {error}"))
    }

    pub async fn click(&self, selector: &str) {
        self.scrolled_to(selector).await.click().await.unwrap();
    }

    /// Touches it with a finger.
    pub async fn tap(&self, selector: &str) {
        let (element, duration) = (self.scrolled_to(selector).await, None);
        let finger = TouchActions::new("finger".into())
            .then(PointerAction::MoveToElement { element, duration, x: 0.0, y: 0.0 })
            .then(PointerAction::Down { button: 0 })
            .then(PointerAction::Up { button: 0 });
        self.client.perform_actions(finger).await.unwrap();
    }

    /// A person scrolls on until nothing lies over what they want.
    async fn scrolled_to(&self, selector: &str) -> Element {
        let found = self.find(selector).await;
        let it = serde_json::to_value(&found).unwrap();
        self.client.execute("arguments[0].scrollIntoView({block: 'center'})", vec![it]).await.unwrap();
        found
    }

    pub async fn write(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap();
    }

    /// Types into whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        let pressed = keys.chars().fold(KeyActions::new("keys".into()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(pressed).await.unwrap();
    }

    /// The value of an expression.
    pub async fn look(&self, expression: &str) -> Value {
        let script = format!("return ({expression})");
        self.client.execute(&script, vec![]).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression holds.
    pub async fn until(&self, expression: &str) {
        let mut looks = tokio::time::interval(LOOKS_EVERY);
        let waiting = async {
            // A page that is just being left has no answer.
            while self.client.execute(&format!("return ({expression})"), vec![]).await.ok() != Some(json!(true)) {
                looks.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("never: {expression}\n{}", self.words().await);
        }
    }

    /// Waits until the page says this.
    pub async fn says(&self, text: &str) {
        let text = json!(text);
        self.until(&format!("document.body.innerText.replace(/\\s+/g, ' ').includes({text})")).await;
    }

    /// What a person reads.
    pub async fn words(&self) -> String {
        let words = self.look("document.body.innerText.replace(/\\s+/g, ' ')").await;
        words.as_str().unwrap_or_default().to_string()
    }

    /// What axe finds on the page that is a serious or critical obstacle for somebody; `only` these of its rules.
    pub async fn obstacles(&self, only: &[&str]) -> Vec<String> {
        let axe = std::fs::read_to_string(&TOOLS.axe).unwrap();
        if self.look("typeof axe").await == "undefined" {
            self.client.execute(&axe, vec![]).await.unwrap();
        }
        let options = match only {
            [] => json!({"resultTypes": ["violations"]}),
            rules => json!({"resultTypes": ["violations"], "runOnly": rules}),
        };
        let script = "const [options, done] = arguments; axe.run(document, options).then(found => done(found.violations\
            .filter(one => ['serious', 'critical'].includes(one.impact))\
            .map(one => `${one.id}: ${one.nodes.map(node => node.html + ' ' + node.failureSummary).join('; ')}`)),\
            error => done(['axe: ' + error]))";
        let found = self.client.execute_async(script, vec![options]).await.unwrap();
        serde_json::from_value(found).unwrap()
    }

    /// Keeps a picture of the whole page, if somebody wants to look at them.
    pub async fn picture(&self, name: &str) {
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
        let Ok(folder) = std::env::var("FRONTDESK_PICTURES") else { return };
        let shot = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        let picture = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).unwrap();
    }
}
