// Package chart checks the chart in deploy/helm: Helm finds nothing wrong with it, and
// what it makes is of Kubernetes's own types, to the last field.
//
// It is a module of its own because Helm and Kubernetes are only needed here. There is
// no cluster: what a cluster does with the manifests is not shown.
package chart
