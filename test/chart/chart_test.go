package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const dir = "../../deploy/helm/coffer"

type values = map[string]any

// least is what has to be said.
func least() values {
	return values{
		"image":   values{"repository": "registry.example/coffer"},
		"rootKey": values{"secret": "root"},
	}
}

// every sets all that is off or empty.
func every() values {
	v := least()
	maps.Copy(v, values{
		"hostname": "mq.example", "tls": values{"secret": "tls"},
		"settings":         values{"log-format": "json", "tls-profile": "modern"},
		"imagePullSecrets": []any{values{"name": "registry"}},
		"persistence":      values{"storageClass": "fast"},
		"external": values{"enabled": true, "annotations": values{"a": "b"},
			"loadBalancerSourceRanges": []any{"10.0.0.0/8"}},
		"networkPolicy": values{"egress": []any{
			values{"to": []any{values{"ipBlock": values{"cidr": "192.0.2.0/24"}}}}}},
		"serviceMonitor": values{"enabled": true, "basicAuthSecret": "monitor", "caSecret": "ca",
			"labels": values{"release": "prometheus"}},
		"podAnnotations": values{"a": "b"}, "nodeSelector": values{"disk": "fast"},
		"tolerations": []any{values{"key": "mq", "operator": "Exists"}},
		"affinity":    values{"nodeAffinity": values{}}, "priorityClassName": "high",
	})
	return v
}

func render(t *testing.T, v values) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{
		Name: "mq", Namespace: "orders", Revision: 1, IsInstall: true,
	}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// objects gives what is rendered by kind and name, each decoded without a field that its
// type does not have.
func objects(t *testing.T, v values) map[string]any {
	t.Helper()
	files, err := render(t, v)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]any{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(file, ".yaml") {
			continue
		}
		for _, text := range strings.Split(files[file], "\n---\n") {
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(text), &head); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, text)
			}
			kinds := map[string]any{
				"": &struct{}{}, "ConfigMap": &corev1.ConfigMap{}, "Service": &corev1.Service{},
				"StatefulSet":   &appsv1.StatefulSet{},
				"NetworkPolicy": &networkingv1.NetworkPolicy{}, "ServiceMonitor": &values{},
			}
			to, ok := kinds[head.Kind]
			if !ok {
				t.Fatalf("%s makes a %s", file, head.Kind)
			}
			if err := yaml.UnmarshalStrict([]byte(text), to); err != nil {
				t.Errorf("%s: %v\n%s", file, err, text)
			}
			if head.Kind != "" {
				list[head.Kind+"/"+head.Metadata.Name] = to
			}
		}
	}
	return list
}

// TestLint: with the least values and with every one.
func TestLint(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]values{"least": least(), "every": every()} {
		result := lint.All(dir, v, "orders", true)
		for _, m := range result.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// TestObjects: what is made, and by the names by which it finds itself.
func TestObjects(t *testing.T) {
	t.Parallel()
	want := []string{"ConfigMap/mq", "NetworkPolicy/mq", "Service/mq", "StatefulSet/mq"}
	if got := slices.Sorted(maps.Keys(objects(t, least()))); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	all := objects(t, every())
	want = append(want, "Service/mq-external", "ServiceMonitor/mq")
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	set := all["StatefulSet/mq"].(*appsv1.StatefulSet)
	labels := set.Spec.Template.Labels
	for _, selector := range []map[string]string{
		set.Spec.Selector.MatchLabels, all["Service/mq"].(*corev1.Service).Spec.Selector,
		all["Service/mq-external"].(*corev1.Service).Spec.Selector,
		all["NetworkPolicy/mq"].(*networkingv1.NetworkPolicy).Spec.PodSelector.MatchLabels,
	} {
		for name, value := range selector {
			if labels[name] != value {
				t.Errorf("the selector %v does not find %v", selector, labels)
			}
		}
	}
	mounted := map[string]bool{"data": true}
	for _, v := range set.Spec.Template.Spec.Volumes {
		mounted[v.Name] = true
	}
	for _, m := range set.Spec.Template.Spec.Containers[0].VolumeMounts {
		if !mounted[m.Name] {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}

// TestRestricted: the pod keeps to the restricted profile of the Pod Security Standards,
// and variables of services are not taken for settings.
func TestRestricted(t *testing.T) {
	t.Parallel()
	pod := objects(t, least())["StatefulSet/mq"].(*appsv1.StatefulSet).Spec.Template.Spec
	p, c := pod.SecurityContext, pod.Containers[0].SecurityContext
	if !*p.RunAsNonRoot || *p.RunAsUser == 0 ||
		p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod: %+v", p)
	}
	if *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem ||
		!slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("the container: %+v", c)
	}
	if *pod.EnableServiceLinks || *pod.AutomountServiceAccountToken || pod.HostNetwork {
		t.Error("the pod has links, a token or the host's network")
	}
}

// TestRefused: what cannot work is refused before anything is made.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(v values){
		"no image":      func(v values) { delete(v, "image") },
		"no root key":   func(v values) { v["rootKey"] = values{"secret": ""} },
		"two processes": func(v values) { v["replicas"] = 2 },
		"unknown":       func(v values) { v["persistance"] = values{} },
		"a shared volume": func(v values) {
			v["persistence"] = values{"accessModes": []any{"ReadWriteMany"}}
		},
		"data elsewhere":    func(v values) { v["settings"] = values{"data": "/tmp"} },
		"root key by value": func(v values) { v["settings"] = values{"root-key": "x"} },
		"no setting":        func(v values) { v["settings"] = values{"api_port": 1} },
		"monitor":           func(v values) { v["serviceMonitor"] = values{"enabled": true} },
	} {
		v := least()
		change(v)
		if _, err := render(t, v); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}
