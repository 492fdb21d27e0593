using System.Text.Json;
using System.Text.Json.Serialization;
using Llama2.Training;

namespace Llama2.DemoModel;

/// <summary>Everything that decides what the demo model becomes: text, tokenizer, shape and training. The embedded one made the committed weights.</summary>
internal sealed record DemoRecipe
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>Gets the number of conversations that are written for each part of the training.</summary>
    public required int Rows { get; init; }

    /// <summary>Gets the number of held-out conversations that the loss is watched on.</summary>
    public required int ValidationRows { get; init; }

    /// <summary>Gets the ids of the tokenizer.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Gets the width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Gets the width of the feed-forward layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Gets the number of blocks.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Gets the number of heads, for queries as for keys and values.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Gets the trained context in tokens, which is also the length of a packed sequence.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Gets the packed sequences of one step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Gets how much of a weight a step at learning rate 1 takes away.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>Gets the memory of AdamW's squares.</summary>
    public required double AdamBeta2 { get; init; }

    /// <summary>Gets the seed of text, weights and orders.</summary>
    public required int Seed { get; init; }

    /// <summary>Gets the parts of the training, one after the other.</summary>
    public required IReadOnlyList<DemoPhase> Phases { get; init; }

    /// <summary>The recipe of the committed weights.</summary>
    public static DemoRecipe Embedded => Parse(Lexicon.ReadResource("recipe.json"));

    /// <exception cref="JsonException">A setting is missing, unknown or no value of its kind.</exception>
    public static DemoRecipe Parse(string json) => JsonSerializer.Deserialize<DemoRecipe>(json, _json) ?? throw new JsonException("The recipe is null.");

    /// <summary>The shape of the model.</summary>
    public LlamaConfig Config(int vocabularySize) => new()
    {
        HiddenSize = HiddenSize,
        IntermediateSize = IntermediateSize,
        LayerCount = LayerCount,
        HeadCount = HeadCount,
        KeyValueHeadCount = HeadCount,
        HeadSize = HiddenSize / HeadCount,
        VocabularySize = vocabularySize,
        ContextLength = ContextLength,
        RmsNormEpsilon = 1e-5f,
        TieWordEmbeddings = true,
    };
}

/// <summary>A part of the training.</summary>
/// <param name="Name">What it is called in reports and in the work folder.</param>
/// <param name="LossOn">Whether every token counts, or the answers alone.</param>
/// <param name="Steps">How long it is.</param>
/// <param name="WarmupSteps">The steps in which the learning rate rises.</param>
/// <param name="LearningRate">The highest learning rate.</param>
/// <param name="Schedule">How it moves afterwards.</param>
/// <param name="EmotionShare">The share of conversations about emotions, from 0 to 1; the others are summaries.</param>
/// <param name="TextSeed">The seed of its text; the recipe's where there is none.</param>
internal sealed record DemoPhase(
    string Name, LossScope LossOn, int Steps, int WarmupSteps, double LearningRate, LearningRateSchedule Schedule, double EmotionShare = 0.5, int? TextSeed = null);
