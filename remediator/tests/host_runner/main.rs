//! The host runner as real processes: the program itself, real signals, and tools that are scripts.
#![cfg(test)]

mod crash;
mod estate;
mod orders;
mod processes;
mod restart;
