//! How PostgreSQL's programs are started: with no environment of ours, as the account, and not to
//! outlive us.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;

/// `cwd` must be open to the account, because the programs find their other files by way of it.
/// `last` is what the kernel sends the program when the thread that starts it ends.
pub(super) fn command(program: &Path, cwd: &Path, account: Option<&Account>, last: Signal) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir(cwd)
        .stdin(Stdio::null())
        // A Ctrl-C on the terminal is for us; we stop the server in our own order.
        .process_group(0);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    end_with_us(&mut command, last);
    command
}

/// A process that is gone already needs no signal.
pub(super) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal))
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(?pid, ?signal, %error, "could not signal a PostgreSQL process");
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "what a child does between fork and exec can be said in no other way")]
fn end_with_us(command: &mut Command, last: Signal) {
    use rustix::process::{getpid, getppid, set_parent_process_death_signal};

    let us = getpid();
    // A change of user clears the signal; std makes that change before it runs this closure.
    let wish = move || {
        set_parent_process_death_signal(Some(last))?;
        // We may have ended before the wish was heard, and then nobody would send the signal.
        if getppid() == Some(us) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: the closure makes two system calls and touches neither memory of ours nor any lock.
    unsafe {
        command.pre_exec(wish);
    }
}

/// Elsewhere a server does outlive a killed parent; the next start interrupts it.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command, _: Signal) {}
