using System.Text;
using System.Text.Json;

namespace Llama2;

/// <summary>
/// What an answer has to look like. Tokens that would lead away from it cannot be drawn: the text satisfies the constraint, or the generation
/// ends with <see cref="GenerationFinishReason.Length"/> before it is whole. Immutable and thread-safe; equal ones are one work for an engine.
/// </summary>
/// <remarks>
/// The answer is a text of its own: one space that the tokenizer puts before its first word is not part of it. It ends where nothing can follow
/// any more, or where the model ends it, which it can only where the constraint is satisfied.
/// </remarks>
/// <example>
/// <code>
/// var options = new GenerationOptions { Constraint = GenerationConstraint.Choice(["yes", "no"]) };
/// </code>
/// </example>
public sealed class GenerationConstraint : IEquatable<GenerationConstraint>
{
    private readonly Func<GrammarBuilder, int, int> _write;

    private GenerationConstraint(GenerationConstraintKind kind, IReadOnlyList<string> texts, Func<GrammarBuilder, int, int> write)
    {
        (Kind, Texts, _write) = (kind, texts, write);
        var builder = new GrammarBuilder();
        Grammar = builder.Build(write(builder, Grammar.End));
    }

    /// <summary>Gets the constraint to any JSON object: <c>json_object</c>, the field's JSON mode.</summary>
    /// <remarks>White space and numbers are as for <see cref="JsonSchema(string)"/>; names of members may repeat, as JSON allows.</remarks>
    public static GenerationConstraint Json { get; } = new(GenerationConstraintKind.Json, [], (builder, end) => new JsonGrammar(builder).Object(end));

    internal GenerationConstraintKind Kind { get; }

    /// <summary>The choices, or the one expression or schema.</summary>
    internal IReadOnlyList<string> Texts { get; }

    internal Grammar Grammar { get; }

    /// <summary>What an answer without calls has to look like; for <see cref="GenerationConstraintKind.Tools"/>.</summary>
    internal GenerationConstraint? Answer { get; private init; }

    /// <summary>An answer that is calls, or words.</summary>
    /// <param name="key">What tells it from others.</param>
    /// <param name="answer">What the words have to look like; null for anything.</param>
    /// <param name="write">Writes it before a node and returns where it begins.</param>
    internal static GenerationConstraint Tools(IReadOnlyList<string> key, GenerationConstraint? answer, Func<GrammarBuilder, int, int> write) =>
        new(GenerationConstraintKind.Tools, key, write) { Answer = answer };

    /// <summary>Writes the constraint as a part of another one.</summary>
    internal int Write(GrammarBuilder builder, int next) => _write(builder, next);

    /// <summary>Constrains to one of several texts.</summary>
    /// <param name="texts">One or more texts of at least one character, without lone surrogates.</param>
    /// <exception cref="GenerationConstraintException">There is no text, or one is empty or not well-formed.</exception>
    public static GenerationConstraint Choice(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        string[] choices = [.. texts];
        for (int i = 0; i < choices.Length; i++)
        {
            if (string.IsNullOrEmpty(choices[i]) || !IsWellFormed(choices[i]))
            {
                throw new GenerationConstraintException($"choice[{i}] must be a text of at least one character, without lone surrogates.", location: null);
            }
        }

        return choices.Length > 0
            ? new(GenerationConstraintKind.Choice, choices, (builder, end) => builder.Any([.. choices.Select(text => builder.Text(text, end))]))
            : throw new GenerationConstraintException("A choice needs at least one text.", location: null);
    }

    /// <summary>Constrains to the texts that a regular expression matches from beginning to end.</summary>
    /// <param name="pattern">
    /// Literals; <c>.</c> (all but a line feed); classes such as <c>[a-z_]</c> and <c>[^,]</c>; <c>\d \D \w \W \s \S</c>, <c>\t \n \r \f \v \0 \xHH
    /// \uHHHH \u{H…}</c>, <c>\</c> before punctuation; groups <c>( )</c>, <c>(?: )</c>, <c>(?&lt;name&gt; )</c>; <c>|</c>; <c>* + ? {n} {n,} {n,m}</c> with
    /// counts up to 10 000, also lazy; <c>^</c> and <c>$</c> where they change nothing. What looks around or back, and flags, are refused. <c>\d \w \s</c>
    /// are ASCII where they ask for something and Unicode where they exclude it, so that the text matches in every dialect.
    /// </param>
    /// <exception cref="GenerationConstraintException">The expression is malformed, not supported, too large, or matches nothing.</exception>
    public static GenerationConstraint Regex(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        IReadOnlyList<RegexAlternative> alternatives = RegexParser.Parse(pattern, RegexCharacters.Dot);
        return new(GenerationConstraintKind.Regex, [pattern], (builder, end) =>
            builder.Any([.. alternatives.Select(alternative => alternative.Node.Emit(builder, builder.Runes, end))]));
    }

    /// <summary>Constrains to the JSON texts that a schema allows.</summary>
    /// <param name="schema">
    /// A JSON schema of draft 2020-12: <c>type</c>, <c>properties</c>, <c>required</c>, <c>additionalProperties</c>, <c>enum</c>, <c>const</c>,
    /// <c>items</c>, <c>prefixItems</c>, <c>minItems</c>, <c>maxItems</c>, <c>anyOf</c>, <c>oneOf</c> of schemas that exclude each other, <c>$ref</c> within the
    /// document, also to itself, and one of <c>pattern</c>, <c>format</c> (date-time, date, time, uuid, email, uri, ipv4) and <c>minLength</c> with <c>maxLength</c>;
    /// <c>minimum</c>, <c>maximum</c> and their exclusive forms. What only describes is passed over; every other keyword is refused.
    /// </param>
    /// <remarks>
    /// Of what the schema allows this is generated: members in the order of <c>properties</c>; members that it does not name only if
    /// <c>additionalProperties</c> allows them in so many words, or if it names none; at most one space after a colon or comma and no other white space; numbers
    /// without exponent, of at most 15 digits before (18 where a bound says so) and 12 after the point; values nested at most 48 deep.
    /// </remarks>
    /// <exception cref="GenerationConstraintException">
    /// The schema is no JSON, malformed, uses an unsupported keyword (<see cref="GenerationConstraintException.Location"/> is its JSON pointer), is too
    /// large, or nothing can satisfy it.
    /// </exception>
    public static GenerationConstraint JsonSchema(string schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        try
        {
            return new(GenerationConstraintKind.JsonSchema, [schema], (builder, end) =>
            {
                using var document = JsonDocument.Parse(schema);
                return JsonSchemaGrammar.Write(builder, document.RootElement, JsonTypes.All, end);
            });
        }
        catch (JsonException exception)
        {
            throw new GenerationConstraintException($"The JSON schema is no JSON: {exception.Message}", "#", exception);
        }
    }

    /// <summary>Constrains to the JSON texts that a schema allows.</summary>
    /// <param name="schema">The schema; its text is copied.</param>
    /// <inheritdoc cref="JsonSchema(string)"/>
    public static GenerationConstraint JsonSchema(JsonElement schema) => JsonSchema(schema.GetRawText());

    /// <summary>Tells whether two constraints are the same: of one kind, with the same texts.</summary>
    /// <param name="other">The other one.</param>
    public bool Equals(GenerationConstraint? other) => other is not null && Kind == other.Kind && Texts.SequenceEqual(other.Texts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as GenerationConstraint);

    /// <inheritdoc/>
    public override int GetHashCode() => Texts.Aggregate((int)Kind, HashCode.Combine);

    /// <summary>Gets the kind and the text, for people.</summary>
    public override string ToString() => Texts.Count == 0 ? $"{Kind}" : $"{Kind}: {string.Join(" | ", Texts)}";

    private static bool IsWellFormed(string text)
    {
        for (int i = 0; i < text.Length; i += char.IsSurrogate(text[i]) ? 2 : 1)
        {
            if (!Rune.TryGetRuneAt(text, i, out _))
            {
                return false;
            }
        }

        return true;
    }
}
