package capacity

import "fmt"

// note says what is beyond what was measured, and what was not measured at all.
func (p *Plan) note(m Measures) {
	add := func(format string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, args...)) }
	if each := ceil(float64(p.Connections) / float64(p.carrying())); each > int(m.MostConnections.Value) {
		add("A node holds up to %d connections; the most that was tested is %.0f. Raise the limit of open files "+
			"(ulimit -n, LimitNOFILE), and test it.", each, m.MostConnections.Value)
	}
	last := m.Commit[len(m.Commit)-1].At.Value
	if p.Topology == Cluster && p.Load.Messages > last {
		add("The tested PostgreSQL took %.0f messages per second on two cores, which it shared with the server "+
			"and the senders. More was not tested: measure yours.", last)
	}
	if p.Topology == Cluster {
		add("The disk space of a message was measured on SQLite only, the memory of PostgreSQL and NATS not at all.")
	}
	if p.Load.TLS {
		add("The cost of TLS for connections is included; that of encrypting deliveries was not measured.")
	}
	add("Not included: sign-ins (48 MiB and a seventh of a second of a core each; the topology \"roles\" separates " +
		"them), backups, pictures, the audit log, socket buffers of the kernel, and device telemetry, " +
		"which this version does not have.")
}
