using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Llama2.Evaluation.Tests;

/// <summary>What holds of every pair of texts.</summary>
[Properties(Replay = "(20261123,7)", MaxTest = 200)]
public sealed class MetricProperties
{
    private static readonly RougeScorer _rouge = new(new RougeOptions { Metrics = RougeMetrics.All, UseStemmer = true });

    // Few words, so that texts have something in common, and pieces of every kind between them.
    private static readonly Gen<string> _text =
        Gen.Elements("the", "cat", "sat", "Cats", "running", "\n", ".", ", ", "日本", "\ud83d\ude42", "\ud800", "\u0130", "<b>", "|", "3.5", "-")
            .ListOf().Select(pieces => string.Join(' ', pieces));

    [Property]
    public Property Rouge_Exchanged_ExchangesPrecisionAndRecall() => Prop.ForAll(_text.ToArbitrary(), _text.ToArbitrary(), (a, b) =>
    {
        RougeScores forth = _rouge.Score(a, b), back = _rouge.Score(b, a);
        foreach (RougeMetrics metric in new[] { RougeMetrics.Rouge1, RougeMetrics.Rouge2, RougeMetrics.Rouge3, RougeMetrics.RougeL })
        {
            Assert.Equal((forth[metric].Precision, forth[metric].Recall), (back[metric].Recall, back[metric].Precision));
        }

        // No subsequence has more words than there are in common.
        Assert.InRange(forth.RougeL.FMeasure, 0, forth.Rouge1.FMeasure);
        Assert.InRange(forth.RougeLsum.FMeasure, 0, forth.Rouge1.FMeasure);
    });

    [Property]
    public Property Bleu_AnyTexts_LiesFromZeroToOneAndIsOneForItself() => Prop.ForAll(_text.ToArbitrary(), _text.ToArbitrary(), (a, b) =>
    {
        foreach (BleuTokenization tokenization in Enum.GetValues<BleuTokenization>())
        {
            var bleu = new BleuScorer(new BleuOptions { Tokenization = tokenization, EffectiveOrder = true });
            BleuScore same = bleu.Score(a, a);

            Assert.InRange(bleu.Score(a, b).Score, 0, 1);
            Assert.Equal(same.PredictionLength > 0 ? 1 : 0, same.Score, 12);
            string tokens = BleuTokenizer.Tokenize(a, tokenization);
            Assert.Equal(same.PredictionLength, tokens.Length == 0 ? 0 : tokens.Split(' ').Length);
        }
    });

    [Property]
    public Property Classification_AnyItems_KeepsTheIdentities() => Prop.ForAll(Gen.Elements("a", "b", "c").Two().NonEmptyListOf().ToArbitrary(), pairs =>
    {
        ClassificationMetrics metrics = ClassificationMetrics.Compute([.. pairs.Select(pair => pair.Item1)], [.. pairs.Select(pair => pair.Item2)]);

        Assert.Equal(metrics.Accuracy, metrics.Micro.F1, 12);
        Assert.Equal(metrics.Accuracy, metrics.Weighted.Recall, 12);
        Assert.InRange(metrics.MatthewsCorrelation, -1 - 1e-12, 1 + 1e-12);
        Assert.InRange(metrics.Macro.F1, 0, 1);
        Assert.Equal(pairs.Count, metrics.Confusion.Total);
    });

    [Property]
    public Property Stem_AnyWord_IsNotLonger() => Prop.ForAll(
        Gen.Elements("y", "s", "e", "d", "ing", "at", "ation", "al", "li", "ti", "iz", "l", "b", "ly", "ed", "ness", "ful").NonEmptyListOf().ToArbitrary(),
        pieces => Assert.True(PorterStemmer.Stem(string.Concat(pieces)).Length <= pieces.Sum(piece => piece.Length)));
}
