{{/* The name that every object's name begins with. */}}
{{- define "turnpike.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What each service is, that no operator chooses. */}}
{{- define "turnpike.facts" -}}
gatekeeper:
  database: true
  egress: true
  peers: []
agent-runtime:
  database: true
  egress: true
  blobs: true
  peers: [gatekeeper, tool-registry, embedding]
tool-registry:
  database: true
  egress: true
  stdio: true
  oauth: true
  blobs: true
  peers: [gatekeeper, embedding]
embedding:
  blobs: true
  database: true
  peers: [gatekeeper, agent-runtime, tool-registry]
gateway:
  http: true
  peers: [gatekeeper, agent-runtime, tool-registry, embedding]
{{- end -}}

{{/*
Everything a template needs to write the objects of one service, as YAML: takes
(dict "root" $ "name" "gatekeeper").
*/}}
{{- define "turnpike.service" -}}
{{- $fullname := include "turnpike.fullname" .root -}}
{{- $facts := get (include "turnpike.facts" .root | fromYaml) .name -}}
{{- $settings := mergeOverwrite (deepCopy .root.Values.defaults) (get .root.Values.services .name | default dict) -}}
{{- $own := dict
  "name" .name
  "fullname" (printf "%s-%s" $fullname .name)
  "prefix" (.name | upper | replace "-" "_")
  "module" (printf "turnpike.%s" (.name | replace "-" "_"))
  "image" (printf "%s/%s:%s" .root.Values.image.registry .name (.root.Values.image.tag | default .root.Chart.AppVersion))
  "secret" ($settings.secret | default (printf "turnpike-%s" .name))
  "migrationSecret" ($settings.migrationSecret | default (printf "turnpike-%s-migration" .name))
-}}
{{- merge $own $facts $settings | toYaml -}}
{{- end -}}

{{/* The gRPC target of a service: every pod of it, by the headless Service. */}}
{{- define "turnpike.target" -}}
{{- $service := include "turnpike.service" . | fromYaml -}}
{{- $service.target | default (printf "dns:///%s.%s.svc.%s:%v" $service.fullname .root.Release.Namespace .root.Values.clusterDomain $service.port) -}}
{{- end -}}

{{/* Labels that select a service's pods; they never change. */}}
{{- define "turnpike.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "turnpike.labels" -}}
{{ include "turnpike.selector" . }}
app.kubernetes.io/part-of: turnpike
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "turnpike.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "turnpike.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What a pod may not do, whatever runs in it. */}}
{{- define "turnpike.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "turnpike.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}
