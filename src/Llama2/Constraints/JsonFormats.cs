namespace Llama2;

/// <summary>The string formats of JSON Schema that constraints enforce, as regular expressions: narrow enough for every reader.</summary>
/// <remarks>Years are 1000 to 2999 and offsets less than 14 hours, so that what is generated is a <see cref="DateTimeOffset"/>; there are no leap seconds.</remarks>
internal static class JsonFormats
{
    public const string Names = "date-time, date, time, uuid, email, uri, ipv4";

    // RFC 3339. 29 February is left out: no expression of this size knows leap years.
    private const string Date = "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)";
    private const string Time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,7})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])";

    private const string Label = "[a-z0-9]{1,20}(?:-[a-z0-9]{1,20})?";
    private const string Octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

    public static string? Find(string name) => name switch
    {
        "date-time" => $"^{Date}T{Time}$",
        "date" => $"^{Date}$",
        "time" => $"^{Time}$",
        "uuid" => "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        "email" => $"^[A-Za-z0-9]{{1,20}}(?:[._+-][A-Za-z0-9]{{1,20}}){{0,2}}@(?:{Label}\\.){{1,3}}[a-z]{{2,10}}$",
        "uri" => $"^https?://(?:{Label}\\.){{0,3}}[a-z]{{2,20}}(?::[1-9][0-9]{{1,3}})?(?:/[A-Za-z0-9._~-]+)*/?(?:\\?[a-z]+=[A-Za-z0-9._~-]+)?$",
        "ipv4" => $"^(?:{Octet}\\.){{3}}{Octet}$",
        _ => null,
    };
}
