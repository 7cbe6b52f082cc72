//! What users need to test their own workflows and activities.
#![forbid(unsafe_code)]
