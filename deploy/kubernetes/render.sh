#!/bin/sh
# Renders the overlays from the chart: deploy/kubernetes/render.sh [FOLDER]. HELM names the program.
set -eu
cd "$(dirname "$0")"
to=${1:-overlays}
command -v "${HELM:-helm}" >/dev/null || { echo "there is no ${HELM:-helm}; HELM names the program" >&2; exit 1; }
render() { # OVERLAY ARGUMENTS: the chart without what Helm alone reads
  overlay=$1
  shift
  mkdir -p "$to/$overlay"
  "${HELM:-helm}" template unhidra chart --namespace unhidra --kube-version 1.34.1 --skip-tests "$@" 2>/dev/null |
    sed -e '/managed-by: Helm/d; /helm.sh\/chart:/d; /^# Source:/d' >"$to/$overlay/unhidra.yaml"
}
for topology in embedded cluster roles; do
  render "$topology" --values "values/$topology.yaml" \
    --set monitoring.serviceMonitor=false,monitoring.prometheusRule=false,monitoring.dashboards=false
done
render monitoring --values values/embedded.yaml --show-only templates/monitoring.yaml
