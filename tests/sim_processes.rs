//! Real processes of the simulator against each other.
