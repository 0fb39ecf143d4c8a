package domain

import "time"

// HealthReport is what the modules of a process report to administrators. Each fills in
// what it knows; what could not be found out stays zero.
type HealthReport struct {
	Connections  int64 // open WebSockets of this process
	Store        StoreUsage
	Disk         *DiskUse // nil: unknown
	Mail         MailUse
	Audit        AuditUse
	Certificates []CertificateUse // in use; none: the process speaks plain HTTP
	Problems     []HealthProblem
}

// HealthProblem is something that an administrator should look at.
type HealthProblem struct {
	Code    string // what it is; clients have a text for each
	Failure bool   // true: something does not work; false: it may stop working soon
	Subject string // which one it is about, if there are several
}

// Warn adds what does no harm yet.
func (r *HealthReport) Warn(code, subject string) {
	r.Problems = append(r.Problems, HealthProblem{Code: code, Subject: subject})
}

// Fail adds what does not work.
func (r *HealthReport) Fail(code, subject string) {
	r.Problems = append(r.Problems, HealthProblem{Code: code, Failure: true, Subject: subject})
}

// DiskUse is the room on a disk, in bytes.
type DiskUse struct{ Free, Total uint64 }

// MailUse is the mail of a server.
type MailUse struct {
	On bool // there is a mail server
	MailState
}

// AuditUse is how far the audit log has come.
type AuditUse struct {
	Head      int64 // number of the last record
	Signed    int64 // number of the record that the last checkpoint signs
	Receivers []ReceiverUse
}

// ReceiverUse is one that the audit log is sent to.
type ReceiverUse struct {
	Name    string
	Behind  int64 // records that it does not have yet
	Dropped int64 // records that were deleted before it could be sent them
}

// CertificateUse is a certificate that clients are shown.
type CertificateUse struct {
	Names   []string
	Expires time.Time
}
