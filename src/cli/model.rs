//! `isotherm model`: the models of a controller, the one in use, and the way back.

use super::{Failure, load_site};
use crate::service::models::{self, Models, ModelsError};
use clap::Subcommand;
use std::path::PathBuf;

/// Arguments of `isotherm model`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The site file.
    site: PathBuf,
    /// Directory of the record; without it the site's `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the models that are kept, and which was in use when and why.
    List(Place),
    /// Print the card of a model; without a name of the one in use.
    Show {
        #[command(flatten)]
        place: Place,
        /// The first digits of its name.
        #[arg(long)]
        model: Option<String>,
    },
    /// Go back to the model that was in use before; a running controller follows within seconds.
    Rollback(Place),
    /// Put a model into use: one that is kept, by its name, or a file.
    Use {
        #[command(flatten)]
        place: Place,
        /// The first digits of a kept model's name, or the path of a model's file.
        model: String,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.action {
        Action::List(place) => list(&open(place)?),
        Action::Show { place, model } => show(&open(place)?, model.as_deref()),
        Action::Rollback(place) => {
            let models = open(place)?;
            let before = models.before().map_err(|error| failed(&error))?;
            appoint(&models, &before, "a person went back to it")
        }
        Action::Use { place, model } => {
            let models = open(place)?;
            let name = match models.find(model) {
                Ok(name) => name,
                Err(unknown) => {
                    let path = PathBuf::from(model);
                    if !path.is_file() {
                        return Err(failed(&unknown));
                    }
                    let read = models::read(&path).map_err(|error| failed(&error))?;
                    let card = std::fs::read_to_string(path.with_extension("md")).unwrap_or_default();
                    models.keep(&read, &card).map_err(|error| failed(&error))?
                }
            };
            appoint(&models, &name, "a person put it into use")
        }
    }
}

fn open(place: &Place) -> Result<Models, Failure> {
    let site = load_site(&place.site)?;
    let dir = place.store.clone().unwrap_or_else(|| PathBuf::from(&site.store.dir));
    Ok(Models::beside(&dir))
}

fn failed(error: &ModelsError) -> Failure {
    Failure::of("change the model; the one in use stays", error)
}

fn appoint(models: &Models, name: &str, why: &str) -> Result<(), Failure> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    models.appoint(name, now_ms, why).map_err(|error| failed(&error))?;
    println!("{name} is in use from now on; a running controller follows within seconds");
    Ok(())
}

fn list(models: &Models) -> Result<(), Failure> {
    let fail = |error: ModelsError| Failure::of("read the models", &error);
    let history = models.history().map_err(fail)?;
    if history.is_empty() {
        println!("no model was in use here yet");
        return Ok(());
    }
    for (index, one) in history.iter().enumerate() {
        let mark = if index + 1 == history.len() { "*" } else { " " };
        let at = jiff::Timestamp::from_millisecond(one.wall_ms).unwrap_or_default();
        println!("{mark} {} {} {}", at.strftime("%FT%TZ"), one.model, one.why);
    }
    let names = models.names().map_err(fail)?;
    let tried = names
        .iter()
        .filter(|name| !history.iter().any(|one| one.model == **name));
    tried.for_each(|name| println!("  {:<20} {name} kept, never in use", ""));
    Ok(())
}

fn show(models: &Models, wanted: Option<&str>) -> Result<(), Failure> {
    let fail = |error: ModelsError| Failure::of("show the model", &error);
    let name = match wanted {
        Some(wanted) => models.find(wanted).map_err(fail)?,
        None => models
            .history()
            .map_err(fail)?
            .pop()
            .map(|one| one.model)
            .ok_or_else(|| {
                Failure::Run("no model was in use here yet: write --model with the first digits of one".into())
            })?,
    };
    models.load(&name).map_err(fail)?;
    let card = models.card(&name);
    if card.is_empty() {
        println!("{name} is sound and has no card");
    } else {
        println!("{card}");
    }
    Ok(())
}
