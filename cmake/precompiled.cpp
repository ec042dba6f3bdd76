// The precompiled header needs a target to belong to.
