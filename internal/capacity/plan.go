package capacity

import "math"

const (
	spare       = 0.5 // of each processor is left free
	micro       = 1e-6
	month       = 30 // days
	connections = 20 // UNHIDRA_DATABASE_CONNECTIONS by default
	natsServers = 3
	memoryStep  = 128 // MiB
)

// Topologies of docs/kubernetes.md.
const (
	Embedded = "embedded"
	Cluster  = "cluster"
)

// A Load is what people and devices do when most is going on.
type Load struct {
	People    int     `json:"people"`
	Online    int     `json:"online"`  // of the people, each with one connection
	Devices   int     `json:"devices"` // which are always connected
	Messages  float64 `json:"messages_per_second"`
	PerDay    float64 `json:"messages_per_day"`
	Members   int     `json:"members_per_room"`
	KeepDays  int     `json:"keep_days"` // 0: for ever
	TLS       bool    `json:"tls"`       // which the server ends itself
	MayDie    bool    `json:"a_node_may_die"`
	NodeCores int     `json:"cores_of_a_machine"` // at most
}

// A Plan is what a load needs.
type Plan struct {
	Load        Load    `json:"for"`
	Connections int     `json:"connections"`
	Deliveries  float64 `json:"deliveries_per_second"`
	Topology    string  `json:"topology"`
	Nodes       int     `json:"nodes"`
	NodeCores   int     `json:"cores_per_node"`
	NodeMiB     int     `json:"memory_per_node_mib"`
	// Until everybody is back after a restart of all nodes.
	ReturnSeconds int `json:"seconds_to_come_back"`
	// Of PostgreSQL and of each NATS server; 0: there is none.
	DatabaseCores       int `json:"database_cores"`
	DatabaseConnections int `json:"database_connections"`
	NATSServers         int `json:"nats_servers"`
	NATSCores           int `json:"nats_cores"`
	// Of the database, without backups and pictures.
	MonthBytes int64 `json:"disk_bytes_per_month"`
	KeptBytes  int64 `json:"disk_bytes_kept"` // 0: it grows for ever
	// What was not measured, or is beyond what was.
	Notes []string `json:"notes"`
}

// For computes what l needs. Its numbers must not be negative, and Online not more than People.
func For(l Load) Plan {
	m := Measured()
	p := Plan{Load: l, Connections: l.Online + l.Devices, Topology: Embedded, Nodes: 1}
	connected := m.present(l)
	p.Deliveries = l.Messages * connected
	cores := m.nodeTime(l, p.Connections, connected) / (1 - spare)
	cpus := max(1, ceil(cores))
	if l.MayDie || cpus > l.NodeCores || l.Messages > m.MostSQLite.Value*(1-spare) {
		p.cluster(m, cores)
	} else {
		p.NodeCores = cpus
	}
	p.NodeMiB = m.memory(l.TLS, p.Connections, p.carrying())
	p.ReturnSeconds = ceil(float64(p.Connections) / connectionsMeasured * m.Return.Value *
		coresMeasured / float64(p.Nodes*p.NodeCores))
	p.MonthBytes = int64(l.PerDay * month * m.Message.Value)
	p.KeptBytes = int64(l.PerDay * float64(l.KeepDays) * m.Message.Value)
	p.note(m)
	return p
}

// carrying is how many nodes carry the load when one of several is away.
func (p *Plan) carrying() int { return max(1, p.Nodes-1) }

func (p *Plan) cluster(m Measures, cores float64) {
	cores *= m.ThreeNodes.Value / m.OneNode.Value
	p.Topology = Cluster
	p.Nodes = max(1, ceil(cores/float64(p.Load.NodeCores))) + 1
	p.NodeCores = max(1, ceil(cores/float64(p.carrying())))
	p.DatabaseCores = max(1, ceil(m.commits(p.Load.Messages)/(1-spare)))
	p.DatabaseConnections = (p.Nodes + 1) * connections // while they are upgraded there is one more
	p.NATSServers = natsServers
	p.NATSCores = max(1, ceil(p.Deliveries*m.NATS.Value*micro/(1-spare)))
}

// present is how many members of a room are connected, by the share of all that are.
func (m Measures) present(l Load) float64 {
	all := l.People + l.Devices
	if all == 0 {
		return 0
	}
	return min(float64(l.Members), float64(all)) * float64(l.Online+l.Devices) / float64(all)
}

// nodeTime is how many processors the nodes use. A message in a smaller room than was
// measured costs as much as one in the smallest.
func (m Measures) nodeTime(l Load, conns int, connected float64) float64 {
	idle := m.Idle
	if l.TLS {
		idle = m.IdleTLS
	}
	each := max(connected, m.Delivery[0].At.Value)
	return float64(conns)/connectionsMeasured*idle.Value/100 + l.Messages*each*m.delivery(each)*micro
}

// delivery is the cost of one, in microseconds, between the measured sizes of rooms by the
// logarithm of their members.
func (m Measures) delivery(members float64) float64 {
	before := m.Delivery[0]
	for _, next := range m.Delivery {
		if members <= next.At.Value {
			span := math.Log(next.At.Value / before.At.Value)
			if span == 0 {
				return next.Cost.Value
			}
			part := math.Log(members/before.At.Value) / span
			return before.Cost.Value + part*(next.Cost.Value-before.Cost.Value)
		}
		before = next
	}
	return before.Cost.Value
}

// commits is how many processors messages take on PostgreSQL. Between the measured rates it
// is on the line from one to the next, and beyond the last it costs what that did.
func (m Measures) commits(perSecond float64) float64 {
	rate, used := 0.0, 0.0
	for _, next := range m.Commit {
		then := next.At.Value * next.Cost.Value * micro
		if perSecond <= next.At.Value {
			return used + (perSecond-rate)/(next.At.Value-rate)*(then-used)
		}
		rate, used = next.At.Value, then
	}
	return used * perSecond / rate
}

// memory of a node, in MiB, in steps.
func (m Measures) memory(tls bool, conns, nodes int) int {
	each := m.Connection.Value
	if tls {
		each = m.ConnectionTLS.Value
	}
	mib := m.Base.Value + float64(conns)/float64(nodes)*each*1000/(1<<20)
	return ceil(mib/memoryStep) * memoryStep
}

// Holds returns how many connections fit in some memory, beside the server itself.
func Holds(mib int, tls bool) int {
	m := Measured()
	each := m.Connection.Value
	if tls {
		each = m.ConnectionTLS.Value
	}
	return max(0, int((float64(mib)-m.Base.Value)*(1<<20)/(each*1000)))
}

// Delivers returns how many deliveries a second some processors carry in rooms of so many
// connected members.
func Delivers(cores, members int) int {
	return int(float64(cores) * (1 - spare) / (Measured().delivery(float64(members)) * micro))
}

func ceil(x float64) int { return int(math.Ceil(x - 1e-9)) }
