//! The plan of a sealed generation, believed only after all of it was verified.

use super::Failure;
use crate::emit::init::PLAN;
use crate::emit::store::{self, Found};
use capc_supervisor::Plan;
use std::path::{Path, PathBuf};

/// A generation's plan.
pub struct SealedPlan {
    /// What is to be started, and how.
    pub plan: Plan,
    /// The generation's directory.
    pub generation: PathBuf,
    /// The store's launcher, which verifies the generation again at each start.
    pub launcher: PathBuf,
    /// Where the launcher looks for what lives as long as the system runs.
    pub runtime: PathBuf,
}

impl SealedPlan {
    /// Verifies a generation and reads its plan.
    ///
    /// # Errors
    /// When it is not what was sealed, or was not sealed for an init.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let broken = |what: String| Failure::refused(format!("`{}`: {what}", path.display()));
        let generation = path.canonicalize().map_err(|error| broken(error.to_string()))?;
        let found = Found::at(&generation).map_err(|error| broken(error.to_string()))?;
        let outside = || broken("it lies in no store, and nothing says who may judge it".to_owned());
        let store_path = generation.parent().and_then(Path::parent).ok_or_else(outside)?;
        let (launcher, record) =
            store::launcher_of(store_path, found.number).map_err(|error| broken(error.to_string()))?;
        store::signed(store_path, &found).map_err(|error| broken(error.to_string()))?;
        let seal = found.seal().map_err(|error| broken(error.to_string()))?;
        let differences =
            store::differences(&generation, &seal).map_err(|error| broken(error.to_string()))?;
        if let Some(difference) = differences.first() {
            return Err(broken(difference.clone()));
        }
        let none = || broken("it holds no plan; seal it with `capc reconfigure --init capc`".to_owned());
        let text = store::read(&generation.join(PLAN)).map_err(|_| none())?;
        let plan = Plan::from_json(&text).map_err(|error| broken(error.to_string()))?;
        Ok(Self { plan, generation, launcher, runtime: PathBuf::from(record.runtime) })
    }
}
