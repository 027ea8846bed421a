/** Name rules of Kubernetes live with the kinds that use them; this is the way to them for the machinery's users. */
export {
  checkDns1035Label as dns1035Label,
  checkDns1123Label as dns1123Label,
  checkDns1123Subdomain as dns1123Subdomain,
  checkLabelValue as labelValue,
  checkQualifiedName as qualifiedName,
} from '#apis/meta/names.ts';
