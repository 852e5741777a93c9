//! Reading kubeconfigs offline, merged as kubectl does; secrets are never held.
