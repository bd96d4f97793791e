//! A client that stays: connects, subscribes, hears, and begins anew after every loss.

use super::{Event, Identity, Message, Session};
use crate::connect::backoff::Backoff;
use crate::site::MqttSettings;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// What a client does with its connection. None of these may wait.
pub trait Handler {
    /// Who it is, asked for at each connection.
    fn identity(&self) -> Identity;
    /// What it subscribes to, at each connection: a broker that was restarted has forgotten its subscribers.
    fn filters(&self) -> Vec<String>;
    /// There is a connection.
    fn connected(&mut self, session: &mut Session) -> Result<(), String>;
    /// The broker refused some topics.
    fn refused(&mut self, topics: usize);
    /// A message has come.
    fn take(&mut self, message: &Message, session: &mut Session) -> Result<(), String>;
    /// The connection is lost, or did not come about.
    fn lost(&mut self, error: &str);
    /// When it wants to act by itself.
    fn due(&self) -> Option<Instant> {
        None
    }
    /// It was due, or woken.
    fn act(&mut self, _session: &mut Session) -> Result<(), String> {
        Ok(())
    }
    /// Last words before an orderly end.
    fn farewell(&mut self, _session: &mut Session) -> Result<(), String> {
        Ok(())
    }
}

/// Runs a client until told to stop; `wake` makes it act before it is due.
pub async fn run(
    settings: &MqttSettings,
    handler: &mut impl Handler,
    mut backoff: Backoff,
    wake: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let identity = handler.identity();
        let connected = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            connected = Session::connect(settings, &identity) => connected,
        };
        let error = match connected {
            Ok(session) => match converse(session, handler, &mut backoff, &wake, &mut stop).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        handler.lost(&error);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(backoff.failed()) => {}
        }
    }
}

/// One connection from subscription to its end. The error is its loss.
async fn converse(
    mut session: Session,
    handler: &mut impl Handler,
    backoff: &mut Backoff,
    wake: &Notify,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), String> {
    session.subscribe(&handler.filters()).await?;
    handler.connected(&mut session)?;
    loop {
        let due = handler.due();
        // Without a time of its own it is never due: the branch below is off then.
        let sleep = sleep_until(due.unwrap_or_else(Instant::now));
        let stopped = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = wake.notified() => {
                handler.act(&mut session)?;
                false
            }
            () = sleep, if due.is_some() => {
                handler.act(&mut session)?;
                false
            }
            event = session.next() => {
                heed(event?, handler, &mut session, backoff)?;
                false
            }
        };
        if stopped {
            handler.farewell(&mut session)?;
            session.close().await;
            return Ok(());
        }
        session.flush().await?;
    }
}

fn heed(event: Event, handler: &mut impl Handler, session: &mut Session, backoff: &mut Backoff) -> Result<(), String> {
    match event {
        Event::Message(message) => {
            handler.take(&message, session)?;
            // What came with it is taken in the same go.
            while let Some(message) = session.ready()? {
                handler.take(&message, session)?;
            }
        }
        Event::Subscribed { refused } => {
            // Only now is the broker known to serve us: one that accepts and hangs up is not hurried.
            backoff.succeeded();
            if refused > 0 {
                handler.refused(refused);
            }
        }
    }
    Ok(())
}
