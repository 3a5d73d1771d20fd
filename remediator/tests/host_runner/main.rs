//! The host runner as real processes: the program itself, real signals, and tools that are scripts.
#![cfg(test)]

mod approval;
mod check;
mod crash;
mod estate;
mod freshness;
mod holds;
mod hooks;
mod orders;
mod output;
mod pin;
mod processes;
mod renumbering;
mod restart;
mod ssh;
mod sudo;
mod systemd;
