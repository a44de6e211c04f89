"""`tranche import`: runs that other tools logged, to a project of a service."""
