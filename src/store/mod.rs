//! Every sample and decision on local disk.
