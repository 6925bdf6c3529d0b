//! Mounts: clones of what was opened, stripped of what the service does not need, before they are seen anywhere.

use super::idmap::Maps;
use super::places::INERT;
use super::sources::Source;
use crate::plan::{Identity, Place, Plan, What};
use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::{
    self, Depth, Fd, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
};
use capc_schemas::manifest::{Access, Execution, FacetRole, Mode, Owner};

/// How something is mounted.
struct Manner {
    attributes: u32,
    depth: Depth,
    owner: Option<Identity>,
}

/// Returns the tree for a place, attached nowhere yet.
///
/// # Errors
/// When the kernel does not clone it or does not take an attribute.
pub fn tree<'m>(
    place: &Place<'m>,
    source: &Source,
    maps: &mut Maps,
    plan: &Plan<'_>,
) -> Result<Fd, Refusal<'m>> {
    let Manner { attributes, depth, owner } = manner(place.what, plan);
    let tree = sys::clone_tree(&source.fd, depth).or_refuse_at(Layer::Place, "cloning it", place.at)?;
    let layer = if owner.is_some() { Layer::IdMap } else { Layer::Place };
    let owners = owner.map(|owner| maps.of(owner, plan.identity)).transpose()?;
    sys::set_attributes(&tree, attributes, depth, owners).or_refuse_at(
        layer,
        "setting its attributes",
        place.at,
    )?;
    Ok(tree)
}

fn manner(what: What<'_>, plan: &Plan<'_>) -> Manner {
    let plain = |attributes| Manner { attributes, depth: Depth::One, owner: None };
    let unless = |has: bool, attribute| if has { 0 } else { attribute };
    let stripped = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    match what {
        // Reading and writing a device does not write to its file system; owning and renaming it would.
        What::Device { .. } => plain(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
        What::Sealed { execution, .. } => {
            plain(MOUNT_ATTR_RDONLY | stripped | unless(execution == Execution::Exec, MOUNT_ATTR_NOEXEC))
        }
        What::Image { .. } => {
            Manner { attributes: MOUNT_ATTR_RDONLY | stripped, depth: Depth::All, owner: None }
        }
        What::Grant { access, execution, owner, .. } => Manner {
            attributes: stripped
                | unless(access == Access::ReadWrite, MOUNT_ATTR_RDONLY)
                | unless(execution == Execution::Exec, MOUNT_ATTR_NOEXEC),
            depth: Depth::All,
            owner: match owner {
                Owner::Plain => None,
                Owner::Mapped { uid, gid } => Some(Identity { uid, gid }),
            },
        },
        What::Facet { role: FacetRole::Make, .. } => plain(INERT),
        What::Facet { role: FacetRole::Hold, maker, .. } => Manner {
            attributes: INERT | MOUNT_ATTR_RDONLY,
            depth: Depth::One,
            owner: (plan.mode == Mode::Root).then_some(maker),
        },
        What::Tmpfs { .. }
        | What::Link { .. }
        | What::Text { .. }
        | What::Secret { .. }
        | What::Proc
        | What::Notify => plain(INERT | MOUNT_ATTR_RDONLY),
    }
}
