//! The program: reads its command line and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use frontdesk::config::{Arguments, Command, Config};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::read(&arguments) {
        Ok(config) => config,
        Err(problems) => return fail(&problems),
    };
    frontdesk::assemble::start_logging(&arguments.log, config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::from(error)),
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Serve { demo, .. } => frontdesk::serve(&config, demo).await,
            Command::Mcp { .. } => frontdesk::mcp(&config).await,
            Command::Stop => frontdesk::stop(&config).await,
            Command::Migrate => frontdesk::migrate(&config).await,
            Command::Backup { file } => frontdesk::back_up(&config, &file).await,
            Command::Restore { file } => frontdesk::restore(&config, &file).await,
            Command::Org(org) => frontdesk::create_org(&config, org).await,
            Command::Agent(agent) => frontdesk::create_agent(&config, agent).await,
            Command::SignInLink { email } => frontdesk::sign_in_link(&config, &email).await,
        }
    });
    // Reading standard input cannot be interrupted: a `frontdesk mcp` whose server went away must not wait for it.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // The causes are part of what to do next, so they stand in the same line.
    eprintln!("frontdesk: {error:#}");
    frontdesk::exit_code(error)
}
