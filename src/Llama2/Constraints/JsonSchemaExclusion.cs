using System.Text.Json;

namespace Llama2;

/// <summary>Shows that of several schemas no two allow the same value, so that <c>oneOf</c> means what <c>anyOf</c> does.</summary>
/// <remarks>
/// What counts: types that differ, constants that differ, or a member that two schemas require and whose schemas exclude each other. Where
/// that shows nothing, a value of one schema may be a value of another, and the schema is refused.
/// </remarks>
internal static class JsonSchemaExclusion
{
    private const int MaxDepth = 8;

    /// <exception cref="GenerationConstraintException">Two of them may allow the same value.</exception>
    public static void Require(IReadOnlyList<JsonSchemaNode> schemas, JsonSchemaNode root)
    {
        for (int i = 0; i < schemas.Count; i++)
        {
            for (int j = i + 1; j < schemas.Count; j++)
            {
                if (!Exclude(schemas[i], schemas[j], root, depth: 0))
                {
                    throw schemas[j].Error(
                        $"in 'oneOf', a value may satisfy this schema and {schemas[i].Pointer} as well; give them different types or a required member " +
                        "with different constants, or use 'anyOf'");
                }
            }
        }
    }

    private static bool Exclude(JsonSchemaNode a, JsonSchemaNode b, JsonSchemaNode root, int depth)
    {
        if (depth > MaxDepth)
        {
            return false;
        }

        if (a["$ref"].Exists)
        {
            return Exclude(a["$ref"].Resolve(root), b, root, depth + 1);
        }

        if (b["$ref"].Exists)
        {
            return Exclude(a, b["$ref"].Resolve(root), root, depth + 1);
        }

        if (a.Kind == JsonValueKind.False || b.Kind == JsonValueKind.False)
        {
            return true;
        }

        List<JsonSchemaNode>? valuesA = Constants(a), valuesB = Constants(b);
        JsonTypes common = Types(a, valuesA) & Types(b, valuesB);
        if (common == JsonTypes.None)
        {
            return true;
        }

        if (valuesA is not null && valuesB is not null)
        {
            return !valuesA.Exists(x => valuesB.Exists(y => JsonElement.DeepEquals(x.Element, y.Element)));
        }

        return common == JsonTypes.Object && Required(a).Intersect(Required(b)).Any(name =>
            a["properties"][name] is { Exists: true } x && b["properties"][name] is { Exists: true } y && Exclude(x, y, root, depth + 1));
    }

    private static List<JsonSchemaNode>? Constants(JsonSchemaNode schema) =>
        schema["const"] is { Exists: true } value ? [value] : schema["enum"] is { Exists: true } values ? values.Items() : null;

    private static JsonTypes Types(JsonSchemaNode schema, List<JsonSchemaNode>? constants) =>
        schema.Types() & (constants?.Aggregate(JsonTypes.None, (all, value) => all | value.TypeOfValue()) ?? JsonTypes.All);

    private static IEnumerable<string> Required(JsonSchemaNode schema) =>
        schema["required"] is { Exists: true } required ? required.Items().Select(item => item.Text()) : [];
}
