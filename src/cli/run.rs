//! `isotherm run`: control the plant that a site file describes.

use super::{Failure, load_site};
use crate::service::{self, Options};
use std::path::PathBuf;

/// Arguments of `isotherm run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Site file (TOML), or the name of an embedded site.
    site: PathBuf,
    /// Directory of the record; overrides `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut site = load_site(&args.site)?;
    if let Some(dir) = &args.store {
        site.store.dir = dir.to_string_lossy().into_owned();
    }
    let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
    runtime.block_on(async {
        let service = Box::pin(service::start(site, Options::default()))
            .await
            .map_err(|error| Failure::of("start the controller", &error))?;
        println!("isotherm listens on http://{}", service.address());
        service::signals().await;
        service
            .stop()
            .await
            .map_err(|error| Failure::of("stop in order", &error))
    })
}
