//! vcm-remediator: Alertmanager webhooks in, proven recovery of nShield VCMs out.

fn main() {}
