//! What users read when something goes wrong, on a real Temporal Server.
