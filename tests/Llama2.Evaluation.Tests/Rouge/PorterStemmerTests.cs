using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class PorterStemmerTests
{
    [SharedDataFact]
    public void Stem_EveryGoldenWord_EqualsNltk()
    {
        int words = 0;
        foreach (string line in File.ReadLines(TestData.Path("metrics/porter_stemmer_nltk.tsv")))
        {
            string[] columns = line.Split('\t');
            Assert.Equal((columns[0], columns[1]), (columns[0], PorterStemmer.Stem(columns[0])));
            words++;
        }

        Assert.InRange(words, 12_000, 13_000);
    }

    // The examples of Porter's paper and one for each extension.
    [Theory]
    [InlineData("caresses", "caress")]
    [InlineData("ponies", "poni")]
    [InlineData("ties", "tie")]
    [InlineData("caress", "caress")]
    [InlineData("cats", "cat")]
    [InlineData("feed", "feed")]
    [InlineData("agreed", "agre")]
    [InlineData("plastered", "plaster")]
    [InlineData("bled", "bled")]
    [InlineData("motoring", "motor")]
    [InlineData("sing", "sing")]
    [InlineData("conflated", "conflat")]
    [InlineData("troubled", "troubl")]
    [InlineData("sized", "size")]
    [InlineData("hopping", "hop")]
    [InlineData("falling", "fall")]
    [InlineData("filing", "file")]
    [InlineData("failing", "fail")]
    [InlineData("happy", "happi")]
    [InlineData("enjoy", "enjoy")]
    [InlineData("by", "by")]
    [InlineData("relational", "relat")]
    [InlineData("rational", "ration")]
    [InlineData("radically", "radic")]
    [InlineData("hopefully", "hope")]
    [InlineData("geology", "geolog")]
    [InlineData("triplicate", "triplic")]
    [InlineData("formative", "form")]
    [InlineData("adoption", "adopt")]
    [InlineData("adjustable", "adjust")]
    [InlineData("probate", "probat")]
    [InlineData("rate", "rate")]
    [InlineData("cease", "ceas")]
    [InlineData("controlling", "control")]
    [InlineData("roll", "roll")]
    [InlineData("died", "die")]
    [InlineData("spied", "spi")]
    [InlineData("skies", "sky")]
    [InlineData("Dying", "die")]
    [InlineData("INNINGS", "inning")]
    [InlineData("syzygy", "syzygi")]
    [InlineData("yyyyed", "yyyi")]
    [InlineData("", "")]
    [InlineData("as", "as")]
    public void Stem_Word_EqualsReference(string word, string stem) => Assert.Equal(stem, PorterStemmer.Stem(word));
}
