//! HTTP listeners as Prometheus' exporters have them: web configuration file, TLS, basic auth, Unix sockets, socket activation.
