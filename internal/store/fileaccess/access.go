// Package fileaccess says who may use the files of a database: one server at a time, which may read and
// write them, and nobody else.
package fileaccess
