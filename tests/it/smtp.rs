//! A mail server on loopback that speaks enough of SMTP (RFC 5321) to take mail, to refuse it, and to be down.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server answers to the recipient of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// 451: not now.
    Defers,
    /// 550: never.
    Refuses,
}

/// A running mail server; it ends with the test.
pub struct MailServer {
    pub address: String,
    taken: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
    running: JoinHandle<()>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (taken, mood) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(Mood::Takes)));
        let (letters, humour) = (taken.clone(), mood.clone());
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, letters.clone(), humour.clone()));
            }
        });
        Self { address, taken, mood, running }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The mails taken so far, as they came over the wire.
    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// One conversation. A client that goes away ends it.
async fn serve(stream: TcpStream, taken: Arc<Mutex<Vec<String>>>, mood: Arc<Mutex<Mood>>) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 trial ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let humour = *mood.lock().unwrap();
        let answer = match (verb.as_str(), humour) {
            ("EHLO" | "HELO", _) => "250-trial\r\n250 8BITMIME",
            ("RCPT", Mood::Defers) => "451 4.7.1 Come back later",
            ("RCPT", Mood::Refuses) => "550 5.1.1 Nobody of that name here",
            ("DATA", _) => {
                writing.write_all(b"354 Go on\r\n").await?;
                let mut letter = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.push_str(line.strip_prefix('.').unwrap_or(&line));
                    letter.push('\n');
                }
                taken.lock().unwrap().push(letter);
                "250 Taken"
            }
            ("QUIT", _) => {
                writing.write_all(b"221 Bye\r\n").await?;
                return Ok(());
            }
            _ => "250 OK",
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
