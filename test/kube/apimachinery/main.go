// An API server of Kubernetes' own libraries, with the three resources that lbd asks for: the
// generic server, its watch cache and its storage in etcd are those of kube-apiserver. Types are
// their own internal version, and nothing is validated or defaulted: whoever writes is believed.
package main

import (
	"context"
	"flag"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/token/tokenfile"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/flowcontrol"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// resource is one that is served.
type resource struct {
	group      schema.GroupVersion
	name       string
	namespaced bool
	object     func() runtime.Object
	list       func() runtime.Object
}

var resources = []resource{
	{corev1.SchemeGroupVersion, "services", true,
		func() runtime.Object { return &corev1.Service{} },
		func() runtime.Object { return &corev1.ServiceList{} }},
	{corev1.SchemeGroupVersion, "nodes", false,
		func() runtime.Object { return &corev1.Node{} },
		func() runtime.Object { return &corev1.NodeList{} }},
	{discoveryv1.SchemeGroupVersion, "endpointslices", true,
		func() runtime.Object { return &discoveryv1.EndpointSlice{} },
		func() runtime.Object { return &discoveryv1.EndpointSliceList{} }},
}

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func addTypes() {
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(discoveryv1.AddToScheme(scheme))
	for _, r := range resources {
		internal := schema.GroupVersion{Group: r.group.Group, Version: runtime.APIVersionInternal}
		scheme.AddKnownTypes(internal, r.object(), r.list())
		utilruntime.Must(scheme.SetVersionPriority(r.group))
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
}

// strategy takes objects as they come; a PUT of one that is not there makes it.
type strategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	namespaced bool
}

func (s strategy) NamespaceScoped() bool { return s.namespaced }

func (strategy) PrepareForCreate(context.Context, runtime.Object)                 {}
func (strategy) PrepareForUpdate(context.Context, runtime.Object, runtime.Object) {}
func (strategy) Canonicalize(runtime.Object)                                      {}
func (strategy) AllowCreateOnUpdate() bool                                        { return true }
func (strategy) AllowUnconditionalUpdate() bool                                   { return true }

func (strategy) Validate(context.Context, runtime.Object) field.ErrorList { return nil }
func (strategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}
func (strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }
func (strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

func store(r resource, getter generic.RESTOptionsGetter) rest.Storage {
	of := r.group.WithResource(r.name).GroupResource()
	one := schema.GroupResource{Group: of.Group, Resource: strings.TrimSuffix(r.name, "s")}
	how := strategy{scheme, names.SimpleNameGenerator, r.namespaced}
	s := &genericregistry.Store{
		NewFunc:                   r.object,
		NewListFunc:               r.list,
		DefaultQualifiedResource:  of,
		SingularQualifiedResource: one,
		CreateStrategy:            how,
		UpdateStrategy:            how,
		DeleteStrategy:            how,
		TableConvertor:            rest.NewDefaultTableConvertor(of),
	}
	utilruntime.Must(s.CompleteWithOptions(&generic.StoreOptions{RESTOptions: getter}))
	return s
}

func install(s *server.GenericAPIServer, getter generic.RESTOptionsGetter) {
	groups := []schema.GroupVersion{corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion}
	for _, of := range groups {
		info := server.NewDefaultAPIGroupInfo(of.Group, scheme, metav1.ParameterCodec, codecs)
		stores := map[string]rest.Storage{}
		for _, r := range resources {
			if r.group == of {
				stores[r.name] = store(r, getter)
			}
		}
		info.VersionedResourcesStorageMap[of.Version] = stores
		if of.Group == "" {
			utilruntime.Must(s.InstallLegacyAPIGroup(server.DefaultLegacyAPIPrefix, &info))
		} else {
			utilruntime.Must(s.InstallAPIGroup(&info))
		}
	}
}

// authenticate knows the tokens that the file has at that moment.
func authenticate(path string) authenticator.Request {
	look := func(ctx context.Context, token string) (*authenticator.Response, bool, error) {
		tokens, err := tokenfile.NewCSV(path)
		if err != nil {
			return nil, false, err
		}
		return tokens.AuthenticateToken(ctx, token)
	}
	return group.NewAuthenticatedGroupAdder(bearertoken.New(authenticator.TokenFunc(look)))
}

// authorize lets admins do everything, and the group lbd what its ClusterRole lets it do.
func authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	in := a.GetUser().GetGroups()
	reads := a.IsResourceRequest() && (a.GetVerb() == "list" || a.GetVerb() == "watch")
	if slices.Contains(in, "system:masters") || reads && slices.Contains(in, "lbd") {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// define says of a type no more than that it is an object: fields for managedFields are found out.
func define(r resource) common.OpenAPIDefinition {
	kinds, _, err := scheme.ObjectKinds(r.object())
	utilruntime.Must(err)
	return common.OpenAPIDefinition{Schema: spec.Schema{
		SchemaProps: spec.SchemaProps{Type: []string{"object"}},
		VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{
			"x-kubernetes-preserve-unknown-fields": true,
			"x-kubernetes-group-version-kind": []any{map[string]any{
				"group": r.group.Group, "version": r.group.Version, "kind": kinds[0].Kind}},
		}},
	}}
}

func definitions(common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := map[string]common.OpenAPIDefinition{}
	for _, r := range resources {
		all[r.object().(interface{ OpenAPIModelName() string }).OpenAPIModelName()] = define(r)
	}
	return all
}

var (
	etcd        = flag.String("etcd", "http://127.0.0.1:2379", "")
	port        = flag.Int("port", 6443, "")
	certificate = flag.String("certificate", "", "")
	key         = flag.String("key", "", "")
	tokens      = flag.String("tokens", "", "CSV: token,user,uid,groups")
	cached      = flag.Bool("watch-cache", true, "")
	emulated    = flag.String("emulated-version", "", "of Kubernetes, whose features are on")
	inflight    = flag.Int("inflight", 600, "requests at a time, by priority and fairness")
)

// emulate turns on what was on by default in that version.
func emulate(config *server.Config) {
	of := compatibility.DefaultKubeEffectiveVersionForTest()
	if *emulated != "" {
		of.SetEmulationVersion(version.MustParse(*emulated))
		gate := feature.DefaultMutableFeatureGate
		utilruntime.Must(gate.SetEmulationVersion(of.EmulationVersion()))
	}
	config.EffectiveVersion = of
}

// queue has the priority levels that an API server always has.
func queue(config *server.RecommendedConfig) {
	client := fake.NewClientset()
	config.SharedInformerFactory = informers.NewSharedInformerFactory(client, 0)
	config.FlowControl = flowcontrol.New(config.SharedInformerFactory, client.FlowcontrolV1(),
		*inflight)
}

func storeIn(config *server.Config) {
	storage := storagebackend.NewDefaultConfig("/registry",
		codecs.LegacyCodec(corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion))
	storage.Transport.ServerList = []string{*etcd}
	backend := options.NewEtcdOptions(storage)
	backend.EnableWatchCache = *cached
	utilruntime.Must(backend.ApplyTo(config))
}

func secure(config *server.RecommendedConfig) {
	serving := options.NewSecureServingOptions().WithLoopback()
	serving.BindPort = *port
	serving.ServerCert.CertKey = options.CertKey{CertFile: *certificate, KeyFile: *key}
	utilruntime.Must(serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig))
}

func main() {
	flag.Parse()
	addTypes()
	config := server.NewRecommendedConfig(codecs)
	emulate(&config.Config)
	config.OpenAPIV3Config = server.DefaultOpenAPIV3Config(definitions,
		openapi.NewDefinitionNamer(scheme))
	config.SkipOpenAPIInstallation = true
	config.Authentication.Authenticator = authenticate(*tokens)
	config.Authorization.Authorizer = authorizer.AuthorizerFunc(authorize)
	secure(config)
	queue(config)
	storeIn(&config.Config)
	s, err := config.Complete().New("lbd-test", server.NewEmptyDelegate())
	utilruntime.Must(err)
	install(s, config.RESTOptionsGetter)
	utilruntime.Must(s.PrepareRun().RunWithContext(server.SetupSignalContext()))
}
